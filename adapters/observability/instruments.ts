// Every metric with its kind, unit and labels: what both exporters make, the documentation prints and the dashboard may use.
import type { Instrument } from './instrument.js'
import { OF_THE_MIRROR } from './mirror-instruments.js'

export const INSTRUMENTS = {
  phase: {
    name: 'phase',
    kind: 'state',
    unit: '',
    labels: ['phase'],
    help: '1 for the phase that the process serves by, 0 for the others',
  },
  route: {
    name: 'route',
    kind: 'state',
    unit: '',
    labels: ['route'],
    help: '1 for what new calls do now, such as direct or held, 0 for the rest',
  },
  epoch: {
    name: 'epoch',
    kind: 'gauge',
    unit: '',
    labels: [],
    help: 'Number of the last change of writer that the process knows of',
  },
  waiting: {
    name: 'waiting',
    kind: 'level',
    unit: '{call}',
    labels: [],
    help: 'Calls that wait in the line of the facade',
  },
  inFlight: {
    name: 'in_flight',
    kind: 'level',
    unit: '{connection}',
    labels: ['side'],
    help: 'Connections checked out or being opened, and calls that wait inside the pool of a side',
  },
  holdAge: {
    name: 'hold.age',
    kind: 'gauge',
    unit: 's',
    labels: [],
    help: 'How long the present hold has lasted; 0 when nothing is held',
  },
  holdTime: {
    name: 'hold.time',
    kind: 'counter',
    unit: 's',
    labels: [],
    help: 'Time during which new work was held, over all holds',
  },
  heldCalls: {
    name: 'held.calls',
    kind: 'counter',
    unit: '{call}',
    labels: [],
    help: 'Calls that waited for the end of a hold',
  },
  heldReads: {
    name: 'held.reads',
    kind: 'counter',
    unit: '{call}',
    labels: [],
    help: 'Reads that were answered during a hold',
  },
  heldLongest: {
    name: 'held.longest',
    kind: 'gauge',
    unit: 's',
    labels: [],
    help: 'The longest that one call waited in a hold since the process began',
  },
  fenceHits: {
    name: 'fence.hits',
    kind: 'counter',
    unit: '{statement}',
    labels: [],
    help: 'Statements that met a fence',
  },
  ...OF_THE_MIRROR,
  shadowReads: {
    name: 'shadow.reads',
    kind: 'counter',
    unit: '{read}',
    labels: ['outcome'],
    help: 'Reads that were compared on both sides, by what came of it; only real is a difference',
  },
  shadowSkipped: {
    name: 'shadow.skipped',
    kind: 'counter',
    unit: '{read}',
    labels: ['reason'],
    help: 'Sampled reads that were not compared, by the reason',
  },
  cutovers: {
    name: 'cutovers',
    kind: 'counter',
    unit: '{attempt}',
    labels: ['side', 'outcome'],
    help: 'Attempts to give the right to write to the side, by how they ended',
  },
  pause: {
    name: 'cutover.pause',
    kind: 'histogram',
    unit: 's',
    labels: ['side', 'outcome'],
    help: 'From the hold to the flip of an attempt, for attempts that came as far as a hold',
  },
  stepDuration: {
    name: 'step.duration',
    kind: 'histogram',
    unit: 's',
    labels: ['step', 'outcome'],
    help: 'Time that each step of a change of writer took',
  },
  wishes: {
    name: 'wishes',
    kind: 'counter',
    unit: '{wish}',
    labels: ['outcome'],
    help: 'Words of the source, by what became of them',
  },
  sideErrors: {
    name: 'side.errors',
    kind: 'counter',
    unit: '{error}',
    labels: ['side'],
    help: 'Failures of idle connections to a side that is not in use',
  },
  warnings: {
    name: 'warnings',
    kind: 'counter',
    unit: '{warning}',
    labels: ['code'],
    help: 'Warnings by their code',
  },
} as const satisfies Record<string, Instrument>

export type InstrumentKey = keyof typeof INSTRUMENTS

type KeyOf<Kind extends Instrument['kind']> = {
  [K in InstrumentKey]: (typeof INSTRUMENTS)[K]['kind'] extends Kind ? K : never
}[InstrumentKey]

/** Those that are read when they are asked for, and those that are told of each event. */
export type ReadKey = KeyOf<'state' | 'gauge' | 'level' | 'counter'>
export type CountedKey = KeyOf<'counter'>
export type TimedKey = KeyOf<'histogram'>

/** From a pause that nobody notices to the longest hold that can be configured, and the longest preparation. */
export const BUCKETS = [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const

const SUFFIXES: Readonly<Record<string, string>> = { s: '_seconds', By: '_bytes' }
const suffixOf = (unit: Instrument['unit']): string =>
  unit.endsWith('/s') ? '_per_second' : (SUFFIXES[unit] ?? '')

/** What Prometheus calls it, which is also what OpenTelemetry's own exporter for Prometheus makes of it. */
export function prometheusName({ name, kind, unit }: Instrument, prefix: string): string {
  const total = kind === 'counter' ? '_total' : ''
  return `${prefix}${name.replaceAll('.', '_')}${suffixOf(unit)}${total}`
}

/** What OpenTelemetry calls it, and likewise a label. */
export const openTelemetryName = (name: string): string => `pg_cutover.${name}`
