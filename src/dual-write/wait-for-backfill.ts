// Waits until every row that was there before is on the other side, and says how far it has come.
import { setTimeout as delay } from 'node:timers/promises'
import type { Run } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import { quoteIdent, recordTable } from '../control/names.js'
import { isServerError } from '../control/unit.js'
import { CutoverError } from '../errors.js'
import type { ProgressEvent } from '../events.js'
import type { Side } from '../phase/phases.js'
import { readBackfill } from './backfill.js'
import type { Backfill } from './backfill.js'
import { hasPassed, recordLook } from './record-look.js'
import type { RecordLook } from './record-look.js'

const FIRST_PAUSE_MILLIS = 10
const SLOWEST_PAUSE_MILLIS = 1_000
/** Once every key is on record the end is near. */
const DRAIN_PAUSE_MILLIS = 50

/** The side that writes may be started anew in the days that this takes. */
const UNANSWERED_MILLIS = 60_000
const SHOWN_STUCK = 5

/** The latest that was read, and since when nothing was. */
interface Waiting {
  backfill: Backfill | undefined
  look: RecordLook | undefined
  /** Where the record stood when the last key was on it: once this has passed, it is done. */
  boundary: bigint | undefined
  readAt: number
}

/**
 * Resolves when every backfill is finished and what it has put on record is on the other side, whichever process relays it.
 * Rejects with `ERR_PREPARE` at the deadline (by `performance.now()`), when nothing but stuck rows is left, and when the
 * side that writes has not answered for a minute. Begun again it goes on.
 */
export async function waitForBackfill(
  m: Pick<Migration, 'name' | 'control'>,
  from: Side,
  onProgress: (progress: ProgressEvent) => void,
  deadline: number,
): Promise<void> {
  const { run } = m.control[from]
  const waiting: Waiting = {
    backfill: undefined,
    look: undefined,
    boundary: undefined,
    readAt: performance.now(),
  }
  let reported = ''
  for (let pause = FIRST_PAUSE_MILLIS; ; pause = Math.min(pause * 1.5, slowest(waiting))) {
    const isDone = await lookOnce(run, m.name, waiting)
    const { backfill } = waiting
    if (backfill) {
      const progress = progressOf(m.name, backfill, waiting)
      // An event for each change, not one for each look.
      if (reported !== (reported = `${progress.done} ${progress.total} ${waiting.boundary !== undefined}`))
        onProgress(progress)
    }
    if (isDone) return
    if (performance.now() + pause > deadline) throw notDone(backfill)
    await delay(pause)
  }
}

const slowest = ({ boundary }: Waiting): number =>
  boundary === undefined ? SLOWEST_PAUSE_MILLIS : DRAIN_PAUSE_MILLIS

async function lookOnce(run: Run, name: string, waiting: Waiting): Promise<boolean> {
  try {
    // The look comes after: it sees what the last step has put on record.
    const backfill = (waiting.backfill = await readBackfill(run, name, waiting.backfill))
    const look = (waiting.look = await recordLook(run, { name }, waiting.look))
    waiting.readAt = performance.now()
    // A TRUNCATE begins the backfill of its table anew.
    if (!backfill.finished || look.backfilling) waiting.boundary = undefined
    else waiting.boundary ??= look.boundary
    if (waiting.boundary === undefined) return false
    if (hasPassed(waiting.boundary, look)) return true
    await refuseStuck(run, name, waiting.boundary)
    return false
  } catch (error) {
    const isTransient =
      !(error instanceof CutoverError && error.code !== 'ERR_UNREACHABLE') && !isServerError(error)
    if (!isTransient || performance.now() - waiting.readAt > UNANSWERED_MILLIS) throw error
    return false
  }
}

/** Waiting for them would have no end: they are named, and whoever mends or sets them aside begins again. */
async function refuseStuck(run: Run, name: string, boundary: bigint): Promise<void> {
  const [stuck] = await run<{
    only: boolean
    rows: { table: string; key: string | null; message: string }[]
  }>(
    `with stuck as materialized (
       select tbl, key, table_name, message, since from cutover.stuck where name = $1 and set_aside is null)
     select exists (select from stuck) and not exists (
              select from cutover.${quoteIdent(recordTable(name))} r where r.xid < $2::text::xid8 and not exists (
                select from stuck s where s.tbl = r.tbl and (s.key is null or s.key = r.key))) as only,
            (select coalesce(jsonb_agg(jsonb_build_object('table', z.table_name, 'key', z.key, 'message', z.message)), '[]')
               from (select * from stuck order by since limit ${SHOWN_STUCK}) z) as rows`,
    [name, String(boundary)],
  )
  if (stuck?.only !== true) return
  const list = stuck.rows.map(
    ({ table, key, message }) => `${table}${key === null ? '' : ` ${key}`}: ${message}`,
  )
  throw new CutoverError(
    'ERR_PREPARE',
    `the other side does not take everything. Mend it or set it aside, then begin again: ${list.join('; ')}`,
    { details: { stuck: stuck.rows } },
  )
}

function progressOf(name: string, backfill: Backfill, { boundary }: Waiting): ProgressEvent {
  const { tables, done, total, rowsPerSecond, millisLeft } = backfill
  const finished = tables.filter((table) => table.finished).length
  const current = tables.find((table) => !table.finished && table.done > 0)
  const detail = [
    ...(current === undefined ? [] : [current.table]),
    `${finished} of ${tables.length} tables`,
    ...(boundary === undefined ? [] : ['waiting for the last rows']),
    ...(rowsPerSecond && boundary === undefined ? [`${Math.round(rowsPerSecond)} rows/s`] : []),
    ...(millisLeft && boundary === undefined ? [`${Math.ceil(millisLeft / 1_000)} s left`] : []),
  ]
  return { name, step: 'mirror', detail: detail.join(', '), done, total }
}

function notDone(backfill: Backfill | undefined): CutoverError {
  const pending = (backfill?.tables ?? []).filter((table) => !table.finished).map(({ table }) => table)
  const left =
    pending.length === 0
      ? 'the last rows have not reached the other side yet'
      : `not finished: ${pending.slice(0, 5).join(', ')}${pending.length > 5 ? ` and ${pending.length - 5} more` : ''}`
  return new CutoverError(
    'ERR_PREPARE',
    `the rows that were there before are not brought over in time: ${left}`,
    {
      details: { pending },
    },
  )
}
