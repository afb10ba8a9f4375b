// One look at the record of changes on the side that writes: what is on it, and what can have reached the other side.
import { createHash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { ControlConnection, Run } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import { quoteIdent, quoteLiteral, recordTable } from '../control/names.js'
import type { Side } from '../phase/phases.js'

export interface RecordLook {
  /** Whatever was committed before the look was sent has a lower transaction id. */
  readonly boundary: bigint
  /** The lowest transaction id on record; undefined while nothing is. */
  readonly oldest: bigint | undefined
  /** Rows are yet to be put on record: all of a table's at its beginning, or again after a TRUNCATE. */
  readonly backfilling: boolean
  /** Nothing is on record below this, nor will be. */
  readonly low: bigint
  /** The connection that was asked. On another one, `low` means nothing: a standby may have taken over that lost some ids. */
  readonly session: string
}

const LOOK_MILLIS = 5
const SLOWEST_LOOK_MILLIS = 50

/** As the query of a look gives it, for queries that ask more at once. */
export interface LookColumns {
  readonly boundary: string
  readonly oldest: string | null
  readonly xmin: string
  readonly backfilling: boolean
  readonly session: string
}

/** Columns of one query, so that all are of one snapshot. `low` spares it the rows that were forgotten and not yet vacuumed. */
export const lookSql = (name: string, low: bigint): string => selected(name, `'${low}'`)

const selected = (name: string, low: string): string => `
  pg_snapshot_xmax(pg_current_snapshot())::text as boundary, pg_snapshot_xmin(pg_current_snapshot())::text as xmin,
  (select r.xid::text from cutover.${quoteIdent(recordTable(name))} r
    where r.xid >= ${low}::xid8 order by r.xid limit 1) as oldest,
  exists (select from cutover.backfill where name = ${quoteLiteral(name)} and finished is null) as backfilling,
  pg_backend_pid() || ' ' || pg_postmaster_start_time() as session`

/** Undefined where the query was asked with the `low` of another session, and nothing can be said. */
export function lookOf(row: LookColumns, before: RecordLook | undefined): RecordLook | undefined {
  if (before !== undefined && before.session !== row.session) return undefined
  const oldest = row.oldest === null ? undefined : BigInt(row.oldest)
  const xmin = BigInt(row.xmin)
  return {
    boundary: BigInt(row.boundary),
    oldest,
    backfilling: row.backfilling,
    // Transactions that were running may still commit what they have put on record.
    low: oldest !== undefined && oldest < xmin ? oldest : xmin,
    session: row.session,
  }
}

/**
 * One query on the side that writes. With the look before it is quick also where many forgotten rows are not vacuumed yet.
 * What was committed before it was sent has reached the other side once a later look has no `oldest` below `boundary`,
 * since a row leaves the record only after the other side has committed it.
 */
export async function recordLook(
  run: Run,
  m: Pick<Migration, 'name'>,
  before?: RecordLook,
): Promise<RecordLook> {
  const text = `select ${selected(m.name, '$1')}`
  // Planned once for each connection: callers that wait ask again and again.
  const [row] = await run<LookColumns & Record<string, unknown>>(
    text,
    [String(before?.low ?? 0n)],
    `cutover_look_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`,
  )
  if (!row) throw new Error('the look at the record gave no row')
  return lookOf(row, before) ?? recordLook(run, m)
}

/** Whether what was committed before the look of this boundary is on the other side, as a later look says. */
export const hasPassed = (boundary: bigint, { oldest, backfilling }: RecordLook): boolean =>
  !backfilling && (oldest === undefined || oldest >= boundary)

const UNDEFINED_TABLE = '42P01'

/**
 * True when everything that was committed on `from` up to now is on the other side; false when it is not within
 * `timeoutMillis`, or nothing is put on record. `writer` is a connection to `from`. Rejects when `signal` is aborted.
 */
export async function recordPassed(
  writer: ControlConnection,
  { name }: { readonly name: string; readonly from: Side },
  timeoutMillis: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMillis
  let pause = LOOK_MILLIS
  let look: RecordLook
  try {
    look = await recordLook(writer.run, { name })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === UNDEFINED_TABLE) return false
    throw error
  }
  const { boundary } = look
  while (!hasPassed(boundary, look)) {
    if (performance.now() + pause > deadline) return false
    await delay(pause, undefined, { signal, ref: false })
    pause = Math.min(pause * 1.5, SLOWEST_LOOK_MILLIS)
    look = await recordLook(writer.run, { name }, look)
  }
  return true
}
