// A mirror in words: what is on record, how fast it goes, who does it and what is in its way.
import type { TableBackfill } from '../dual-write/backfill.js'
import type { StreamHealth } from '../mirror/stream-health.js'
import { otherSide } from '../phase/phases.js'
import type { SeenRecord } from './look-at-record.js'
import type { MirrorLook } from './look.js'
import { bar, bytes, counted, printable, type Paint } from './screen.js'

type Rows = [string, string][]

/** Two columns. */
export function mirrorRows(mirror: MirrorLook, paint: Paint): Rows {
  return mirror.kind === 'replication'
    ? [['mirror', streamText(mirror)]]
    : recordRows(mirror.record, paint, false)
}

/** `wide`: with a bar, and each table that is being copied. */
export function recordRows(record: SeenRecord, paint: Paint, wide: boolean): Rows {
  const { from, to, healthy, rows, leader, silentMillis, trouble, backfill, stuckRows } = record
  const state = healthy
    ? paint.good('at work')
    : paint.bad(leader === undefined ? 'nobody relays' : 'not well')
  const set = stuckRows.filter(({ setAside }) => setAside).length
  return [
    ['mirror', `${from} to ${to} by dual-write: ${state}`],
    ['on record', [`${changes(rows)} in ${bytes(record.bytes)}`, ...pace(record)].join(', ')],
    ...(leader === undefined
      ? []
      : [['leader', `${printable(leader)}, heard of ${seconds(silentMillis ?? 0)} ago`] as [string, string]]),
    ...(trouble === undefined ? [] : [['trouble', paint.bad(printable(trouble))] as [string, string]]),
    ...(backfill === undefined ? [] : [['copied', copiedText(record, wide)] as [string, string]]),
    ...(wide && backfill?.finished === false ? tablesUnderWay(backfill.tables) : []),
    [
      'stuck',
      record.stuck > 0
        ? paint.bad(`${counted(record.stuck)} rows or tables; pg-cutover set-aside names them`)
        : set > 0
          ? 'nothing but what was set aside'
          : 'nothing',
    ],
  ]
}

/** All of it on one line, for where nothing is drawn over. */
export function recordLine(record: SeenRecord): string {
  const { from, to, healthy, rows, stuck, trouble } = record
  return [
    `${from} to ${to}: ${healthy ? 'at work' : 'not well'}`,
    ...(record.copying ? [`copied ${copiedText(record, false)}`] : []),
    `${changes(rows)} on record`,
    ...pace(record),
    ...(stuck > 0 ? [`${counted(stuck)} stuck`] : []),
    ...(trouble === undefined ? [] : [printable(trouble)]),
  ].join(', ')
}

export function streamText({ from, health }: { from: 'old' | 'new'; health: StreamHealth }): string {
  const { enabled, tablesReady, tablesTotal, applyErrors, slotRetainedBytes } = health
  return [
    `${from} to ${otherSide(from)}: ${enabled ? 'running' : 'at rest'}`,
    `${tablesReady} of ${tablesTotal} tables ready`,
    ...(applyErrors > 0 ? [`${applyErrors} errors so far`] : []),
    ...(slotRetainedBytes === undefined ? [] : [`${bytes(slotRetainedBytes)} of WAL kept for it`]),
  ].join(', ')
}

/** Of the JSON output. */
export function mirrorJson(mirror: MirrorLook): Record<string, unknown> {
  const { kind, from } = mirror
  const ends = { kind, from, to: otherSide(from) }
  if (mirror.kind === 'replication') return { ...ends, ...mirror.health }
  const { looks, backfill, ...record } = mirror.record
  return {
    ...ends,
    ...record,
    // One look alone cannot tell.
    ageMillis: looks > 1 ? record.ageMillis : null,
    ...(backfill && { backfill: { ...backfill, at: undefined } }),
  }
}

/** What the looks before are needed for. */
function pace({ looks, rows, ageMillis, rowsPerSecond }: SeenRecord): string[] {
  if (looks < 2) return []
  return [
    ...(rows === 0
      ? []
      : [ageMillis > 0 ? `the oldest for at least ${seconds(ageMillis)}` : 'none of them for long']),
    ...(rowsPerSecond === undefined ? [] : [`${counted(Math.round(rowsPerSecond))} a second relayed`]),
  ]
}

function copiedText({ backfill, copying }: SeenRecord, wide: boolean): string {
  if (backfill === undefined) return ''
  const { done, total, finished, rowsPerSecond, millisLeft } = backfill
  if (finished) return `${counted(done)} rows${copying ? ', the last of them are on record' : ''}`
  const percent = total > 0 ? Math.floor((100 * done) / total) : 100
  return [
    `${wide ? `${bar(done, total)} ` : ''}${percent} %, ${counted(done)} of about ${counted(total)} rows`,
    ...(rowsPerSecond === undefined ? [] : [`${counted(Math.round(rowsPerSecond))} a second`]),
    ...(millisLeft === undefined ? [] : [`${duration(millisLeft)} left`]),
  ].join(', ')
}

const SHOWN_TABLES = 10

function tablesUnderWay(tables: readonly TableBackfill[]): Rows {
  const open = tables.filter(({ finished }) => !finished)
  const rows = open
    .slice(0, SHOWN_TABLES)
    .map(({ table, done, total }): [string, string] => [
      '',
      `${printable(table)}  ${counted(done)} of about ${counted(total)}`,
    ])
  const more = open.length - rows.length
  return more > 0 ? [...rows, ['', `and ${more} more tables`]] : rows
}

const changes = (rows: number): string => `${counted(rows)} ${rows === 1 ? 'change' : 'changes'}`

const seconds = (millis: number): string => `${(millis / 1_000).toFixed(1)} s`

function duration(millis: number): string {
  const whole = Math.ceil(millis / 1_000)
  if (whole < 120) return `${whole} s`
  const minutes = Math.round(whole / 60)
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
}
