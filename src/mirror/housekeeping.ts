// Moves idle slots forward, since an idle slot keeps every byte of WAL and every dead row of the catalogs.
import type { Row, Run } from '../control/control-connection.js'
import { ADVANCE_IDLE_SLOT } from '../control/idle-slot-sql.js'
import type { Migration } from '../control/migration.js'
import type { Side } from '../phase/phases.js'
import { patiently } from './patient.js'
import { readSubscription, streamOf } from './stream.js'
import type { Stream } from './stream.js'

/**
 * Call it on a timer. Each direction is looked at: a slot whose subscription is disabled, on a side that does not write,
 * is moved to that side's position of a moment ago.
 *
 * Why this can never pass a change that must be applied later. Let S be the side of the slot, T the subscriber, and X
 * the position of S read here. What T must still get through this slot are the application's commits on S. There are two
 * kinds. (1) Later ones: S takes none while its row says `mirror` or `moved`; the row is read again *after* X with the same
 * epoch, so S had not been opened at X, and every later commit lies behind X. A commit of `open` after that second look
 * changes nothing: X stays before it, however late the advance itself is made. Hence no lock is held while the slot
 * moves, which may take long, and `open` never waits for it. (2) Earlier ones, from a time when S wrote: S is `moved`, so all of them
 * were seen on T before `decide`; and T has disabled the stream, which it does in a synchronous commit only after it was
 * opened, so they are also on T's disk and a crash of T cannot ask for them again. With an *enabled* subscription that
 * does not hold, and the slot is left alone. The subscription is read between the two looks at S's row, and is only enabled while S writes.
 *
 * A role that may not touch slots has a function of S's control schema do it, whose owner may. X and the second look are
 * then made inside that function, in the same order, and it is told what the first look has seen.
 */
export async function housekeeping(m: Migration): Promise<void> {
  await Promise.all([advanceIdleSlot(m, 'old'), advanceIdleSlot(m, 'new')])
}

async function advanceIdleSlot(m: Migration, side: Side): Promise<void> {
  const stream = streamOf(m, side)
  const { run } = stream.publisher
  const before = await idleEpoch(run, m)
  if (before === undefined) return
  const { seen, byFunction } = before
  const subscription = await readSubscription(stream.subscriber.run, stream)
  if (!subscription || subscription.enabled) return
  if (byFunction) return advancing(m, stream, `select from cutover.advance_idle_slot($1, $2)`, [m.name, seen])
  const position = await currentPosition(run)
  if (position === undefined || (await idleEpoch(run, m))?.seen !== seen) return
  await advancing(m, stream, ADVANCE, [stream.name, position])
}

interface Idle {
  readonly seen: string
  /** This role has no right over slots, and may have the owner of the control schema do it. */
  readonly byFunction: boolean
}

/** The epoch and status of a side that takes no writes; undefined where it may take some. */
async function idleEpoch(run: Run, m: Migration): Promise<Idle | undefined> {
  const [row] = await run<Idle & Row>(
    `select epoch || ' ' || status as seen,
            not r.rolsuper and not r.rolreplication
              and coalesce(has_function_privilege(to_regprocedure($2), 'execute'), false) as "byFunction"
       from cutover.side, pg_roles r
      where name = $1 and status in ('mirror', 'moved') and r.rolname = current_user`,
    [m.name, ADVANCE_IDLE_SLOT],
  )
  return row
}

// A statement of its own, before the second look: inside one statement the row would be as old as the statement's snapshot.
async function currentPosition(run: Run): Promise<string | undefined> {
  const [row] = await run<{ lsn: string }>(`select pg_current_wal_insert_lsn()::text as lsn`)
  return row?.lsn
}

// Bounded by what is flushed: an asynchronous commit of the apply worker may not be on disk yet.
const ADVANCE = `
  select pg_replication_slot_advance(slot_name, least($2::pg_lsn, pg_current_wal_flush_lsn()))
    from pg_replication_slots
   where slot_name = $1 and not active and confirmed_flush_lsn < least($2::pg_lsn, pg_current_wal_flush_lsn())`

async function advancing(m: Migration, stream: Stream, text: string, values: string[]): Promise<void> {
  // It reads all the WAL between, so it needs more time than a control statement has.
  await patiently(stream.publisher, m.timings.prepareTimeoutMillis, async ({ run }) => {
    try {
      await run(text, values)
    } catch (error) {
      // 55006: its worker was enabled meanwhile and has it.
      if (!(error instanceof Error && 'code' in error && error.code === '55006')) throw error
    }
  })
}
