// Reads what both sides say about a migration, and what of it is left to be ended by `recover`.
import { setTimeout as delay } from 'node:timers/promises'
import type { Migration } from '../control/migration.js'
import { quoteIdent, recordTable, streamName } from '../control/names.js'
import { readSide, type SideRow } from '../control/side-row.js'
import { CutoverError, isCutoverError } from '../errors.js'
import { streamHealth, type StreamHealth } from '../mirror/stream-health.js'
import { otherSide, PHASES, type Side } from '../phase/phases.js'
import { BETWEEN_LOOKS_MILLIS, RecordLooks, type SeenRecord } from './look-at-record.js'

export interface SideLook {
  readonly address: string
  /** Undefined where the migration has not begun there, or the side did not answer. */
  readonly row: SideRow | undefined
  /** Why the side could not be asked. */
  readonly unreachable: string | undefined
}

export interface MirrorByRecord {
  readonly kind: 'dual-write'
  readonly from: Side
  readonly record: SeenRecord
  again(): Promise<SeenRecord | undefined>
}

export type MirrorLook =
  | { readonly kind: 'replication'; readonly from: Side; readonly health: StreamHealth }
  | MirrorByRecord

export interface Look {
  readonly sides: Readonly<Record<Side, SideLook>>
  /** The side whose row says that it takes writes. */
  readonly writer: SideRow | undefined
  /** Every stream there is, in either direction, or the record of the side that takes writes. */
  readonly mirrors: readonly MirrorLook[]
  /** What `recover` would do. Empty where nothing was left under way. */
  readonly leftOver: readonly string[]
}

/** Throws only what means that nothing may be done at all, such as exchanged URLs. */
export async function look(m: Migration): Promise<Look> {
  const [old, opened] = await Promise.all([lookAt(m, 'old'), lookAt(m, 'new')])
  const sides = { old, new: opened }
  const writer = [old.row, opened.row]
    .filter((row): row is SideRow => row?.status === 'writer')
    .toSorted((a, b) => b.epoch - a.epoch)[0]
  const mirrors = await lookAtMirrors(m, sides, writer)
  return { sides, writer, mirrors, leftOver: leftOver(m, sides, writer, mirrors) }
}

async function lookAt(m: Migration, side: Side): Promise<SideLook> {
  const { address } = m.control[side]
  try {
    const row = await readSide(m.control[side], m.name)
    if (row !== undefined) await refuseOtherMirror(m, side)
    return { address, row, unreachable: undefined }
  } catch (error) {
    if (isCutoverError(error, 'ERR_PREFLIGHT') || isCutoverError(error, 'ERR_OPTION')) throw error
    return { address, row: undefined, unreachable: error instanceof Error ? error.message : String(error) }
  }
}

/** Told of the wrong one, a command would find no mirror and call that well. */
export async function refuseOtherMirror(m: Migration, side: Side): Promise<void> {
  if (m.mirror === 'none') return
  const [found] = await m.control[side].run<{ record: boolean; stream: boolean }>(
    `select to_regclass($1) is not null as record,
        exists (select from pg_publication where pubname = $2) as stream`,
    [`cutover.${quoteIdent(recordTable(m.name))}`, streamName(m.name, side)],
  )
  const is = found?.record === true ? 'dual-write' : found?.stream === true ? 'replication' : m.mirror
  if (is === m.mirror) return
  throw new CutoverError(
    'ERR_OPTION',
    `migration "${m.name}" is mirrored by ${is}, as the ${side} database has it; pass --mirror ${is}`,
  )
}

async function lookAtMirrors(
  m: Migration,
  sides: Look['sides'],
  writer: SideRow | undefined,
): Promise<MirrorLook[]> {
  if (m.mirror === 'none') return []
  if (m.mirror === 'dual-write') {
    if (writer === undefined) return []
    const from = writer.side
    const looks = new RecordLooks(m, from)
    const record = await looks.look()
    return record ? [{ kind: 'dual-write', from, record, again: () => looks.look() }] : []
  }
  const found: MirrorLook[] = []
  for (const from of ['old', 'new'] as const) {
    // The subscription lives on the side that is mirrored to.
    if (sides[otherSide(from)].unreachable !== undefined) continue
    const health = await streamHealth(m, from)
    if (health.exists) found.push({ kind: 'replication', from, health })
  }
  return found
}

/** The same with a second look at a record that is not empty: its age and its rates are told by two. */
export async function twice<T extends Pick<Look, 'mirrors'>>(first: T): Promise<T> {
  const mirrors: MirrorLook[] = []
  for (const mirror of first.mirrors) {
    const isQuiet =
      mirror.kind === 'replication' ||
      (mirror.record.rows === 0 && mirror.record.backfill?.finished !== false)
    mirrors.push(...(isQuiet ? [mirror] : await secondLook(mirror)))
  }
  return { ...first, mirrors }
}

async function secondLook(mirror: MirrorByRecord): Promise<MirrorByRecord[]> {
  await delay(BETWEEN_LOOKS_MILLIS)
  const record = await mirror.again()
  // It may have ended meanwhile.
  return record ? [{ ...mirror, record }] : []
}

function leftOver(
  m: Migration,
  sides: Look['sides'],
  writer: SideRow | undefined,
  mirrors: readonly MirrorLook[],
): string[] {
  const left: string[] = []
  for (const { row } of Object.values(sides)) {
    if (row === undefined) continue
    const other = sides[otherSide(row.side)]
    if (row.status === 'fenced')
      left.push(
        `epoch ${row.epoch}: lift the fence of the ${row.side} database, so that it takes writes again`,
      )
    if (row.status === 'moved' && other.unreachable === undefined && (other.row?.epoch ?? -1) < row.epoch)
      left.push(
        `epoch ${row.epoch}: open the ${otherSide(row.side)} database, since the right to write has left the ${row.side} one`,
      )
  }
  // Before the first change of writer the mirror belongs to the preparation, and nothing was left by anybody.
  // By dual-write both sides record since before the move: there is nothing to be turned.
  if (left.length > 0 || m.mirror !== 'replication' || writer?.phase === undefined || writer.epoch === 0)
    return left
  const { mirroredTo } = PHASES[writer.phase]
  if (mirroredTo === undefined || sides[mirroredTo].unreachable !== undefined) return left
  if (
    sides[mirroredTo].row?.status === 'moved' &&
    !mirrors.some(
      (mirror) => mirror.kind === 'replication' && mirror.from === writer.side && mirror.health.enabled,
    )
  )
    left.push(
      `epoch ${writer.epoch}: enable the mirror of the way back, from ${writer.side} to ${mirroredTo}`,
    )
  return left
}
