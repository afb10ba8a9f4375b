// The metrics of the mirror, of both kinds.
import type { Instrument } from './instrument.js'

export const OF_THE_MIRROR = {
  mirrorBroken: {
    name: 'mirror.broken',
    kind: 'gauge',
    unit: '',
    labels: ['side'],
    help: '1 where the mirror to the side is not at work, or cannot be looked at, or has lost what it needs, or something is stuck; else 0',
  },
  mirrorLag: {
    name: 'mirror.lag',
    kind: 'gauge',
    unit: 's',
    labels: ['side'],
    help: 'How far the side that is mirrored to is behind in time',
  },
  mirrorAge: {
    name: 'mirror.age',
    kind: 'gauge',
    unit: 's',
    labels: ['side'],
    help: 'How long the oldest change has waited that the side has not confirmed',
  },
  mirrorDepth: {
    name: 'mirror.depth',
    kind: 'gauge',
    unit: 'By',
    labels: ['side'],
    help: 'With replication: written by the writer and not yet confirmed by the side',
  },
  mirrorRecords: {
    name: 'mirror.records',
    kind: 'gauge',
    unit: '{change}',
    labels: ['side'],
    help: 'With dual-write: changes on record that the side does not have yet',
  },
  mirrorRate: {
    name: 'mirror.relayed',
    kind: 'gauge',
    unit: '{change}/s',
    labels: ['side'],
    help: 'With dual-write: changes that all processes together write to the side a second',
  },
  mirrorLeading: {
    name: 'mirror.leading',
    kind: 'level',
    unit: '',
    labels: ['side'],
    help: 'With dual-write: 1 in the process that writes the record to the side, else 0',
  },
  mirrorStuck: {
    name: 'mirror.stuck',
    kind: 'gauge',
    unit: '{row}',
    labels: ['side'],
    help: 'With dual-write: rows and whole tables that the side refuses and nobody has set aside',
  },
  mirrorCopied: {
    name: 'mirror.copied',
    kind: 'gauge',
    unit: '{row}',
    labels: ['side'],
    help: 'With dual-write: rows from before the mirror began that have been put on record',
  },
  mirrorToCopy: {
    name: 'mirror.to_copy',
    kind: 'gauge',
    unit: '{row}',
    labels: ['side'],
    help: 'With dual-write: about how many such rows there are in all',
  },
  mirrorRetained: {
    name: 'mirror.retained',
    kind: 'gauge',
    unit: 'By',
    labels: ['side'],
    help: 'Log, or record of changes, that the writer keeps on its disk for the side',
  },
  mirrorLook: {
    name: 'mirror.look.age',
    kind: 'gauge',
    unit: 's',
    labels: ['side'],
    help: 'How old the other values of the mirror are',
  },
} as const satisfies Record<string, Instrument>
