// Proves that the side being opened has every row of the side being left, and reads the position the way back starts from.
import { setTimeout as delay } from 'node:timers/promises'
import { quoteIdent, sentinelTable, streamName } from '../control/names.js'
import { CutoverError } from '../errors.js'
import { checkSequences } from '../mirror/sequences.js'
import { assertHeld } from './attempt.js'
import type { Attempt } from './attempt.js'

interface Look {
  readonly seen: boolean
  readonly position: string
  readonly notReady: number | null
  readonly applyErrors: number
  readonly prepared: number | null
}

/**
 * One query on the side being opened; what is dear is looked at only once the sentinel is there. The mirror commits
 * without waiting for the disk, so the look that sees the sentinel writes a message of its own: its synchronous commit
 * brings everything before it, the position included, to the disk. Without it a crash of that side between here and its
 * opening loses rows that were acknowledged.
 */
const lookQuery = (a: Attempt): string => `
  select s.seen, pg_current_wal_insert_lsn()::text as position,
         case when s.seen then (select count(*)::int from unnest($2::text[], $3::text[]) as t(schema, name)
           where not exists (select from pg_subscription_rel r join pg_class c on c.oid = r.srrelid
             join pg_namespace n on n.oid = c.relnamespace join pg_subscription u on u.oid = r.srsubid
             where u.subname = $4 and n.nspname = t.schema and c.relname = t.name and r.srsubstate = 'r')) end as "notReady",
         ${APPLY_ERRORS} as "applyErrors",
         case when s.seen then
           (select count(*)::int from pg_prepared_xacts where database = current_database()) end as prepared,
         case when s.seen then pg_logical_emit_message(true, 'pg-cutover', 'caught up')::text end as flushed
    from (select coalesce((select epoch >= $1::bigint from cutover.${quoteIdent(sentinelTable(a.m.name, a.from))}), false)) as s(seen)`

const CATCH_UP = 'cutover_catch_up'

function lookValues(a: Attempt, epoch: number): unknown[] {
  const leaves = a.scope.filter(({ kind }) => kind === 'r')
  return [
    epoch,
    leaves.map(({ schema }) => schema),
    leaves.map(({ name }) => name),
    streamName(a.m.name, a.from),
  ]
}

const APPLY_ERRORS = `coalesce((select t.apply_error_count from pg_stat_subscription_stats t join pg_subscription u on u.oid = t.subid
           where u.subname = $4 and u.subdbid = (select oid from pg_database where datname = current_database())), 0)::int`

/** Before the pause: notes the apply errors so far, and has the backend read what the look in the pause will need. */
export async function warmCatchUp(a: Attempt): Promise<void> {
  const [look] = await a.opening.run<Look & Record<string, unknown>>(lookQuery(a), lookValues(a, 0), CATCH_UP)
  a.applyErrors = look?.applyErrors ?? 0
}

export async function catchUp(a: Attempt, deadline: number): Promise<void> {
  if (a.m.mirror === 'none') return
  if (a.m.mirror === 'dual-write') {
    // Loaded by the preparation.
    const { catchUpRecord } = await import('./catch-up-record.js')
    return catchUpRecord(a, deadline)
  }
  // Sequences travel outside the stream, and the fence has stopped them too, since nobody inserts.
  const sequences = checkSequences(a.m, a.from)
  sequences.catch(() => {})
  const query = lookQuery(a)
  const values = lookValues(a, a.epoch)
  for (;;) {
    assertHeld(a, 'catch-up')
    const [look] = await a.opening.run<Look & Record<string, unknown>>(query, values, CATCH_UP)
    const trouble = look && troubleIn(a, look)
    if (trouble !== undefined) throw new CutoverError('ERR_CATCH_UP_TIMEOUT', trouble)
    if (look?.seen === true && look.notReady === 0) {
      a.position = look.position
      break
    }
    if (performance.now() >= deadline) {
      throw new CutoverError(
        'ERR_CATCH_UP_TIMEOUT',
        look?.seen === true
          ? `${look.notReady} tables of the ${a.to} database are not completely copied`
          : `the ${a.to} database had not caught up after ${a.m.timings.catchUpTimeoutMillis} ms`,
      )
    }
    await delay(1)
  }
  await sequences
}

function troubleIn(a: Attempt, look: Look): string | undefined {
  if (look.applyErrors > a.applyErrors)
    return `the mirror failed to apply a change on the ${a.to} database during the hold; its server log says which`
  if ((look.prepared ?? 0) > 0)
    return `the ${a.to} database has ${look.prepared} prepared transactions in doubt; commit or roll them back`
  return undefined
}
