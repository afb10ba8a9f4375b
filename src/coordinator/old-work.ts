// What would make a hold long, found before it: old transactions, and maintenance that does not yield to a lock.
import { setTimeout as delay } from 'node:timers/promises'
import type { ControlConnection } from '../control/control-connection.js'
import { CutoverError } from '../errors.js'
import type { ScopedTable } from '../mirror/scope.js'
import { describeTransaction, TRANSACTION_COLUMNS } from './drain.js'
import type { OpenTransaction } from './drain.js'

/** Somebody who begins a transaction now and then is waited for; who sits in one is named. */
const PATIENCE_MILLIS = 5_000
const LOOK_MILLIS = 50

const OLD_WORK = `
  select ${TRANSACTION_COLUMNS},
         case when v.pid is not null then 'a vacuum' when i.pid is not null then i.command
              when k.pid is not null then 'a lock' end as maintenance, k.relation::text as relation
    from pg_stat_activity a
    left join pg_stat_progress_vacuum v on v.pid = a.pid
    left join pg_stat_progress_create_index i on i.pid = a.pid
    left join lateral (select l.pid, l.relation::regclass as relation from pg_locks l
       where l.pid = a.pid and l.granted and l.locktype = 'relation' and l.relation = any ($1::oid[])
         and l.database = (select oid from pg_database where datname = current_database())
         and l.mode not in ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
       limit 1) k on true
   where a.datname = current_database() and a.pid <> pg_backend_pid()
     and coalesce(a.application_name, '') not like 'pg-cutover%'
     and ((a.backend_type = 'client backend' and a.xact_start < clock_timestamp() - interval '500 ms')
       or (k.pid is not null and (a.backend_type = 'client backend' or a.query like '%(to prevent wraparound)%')))`

type Row = OpenTransaction & { maintenance: string | null; relation: string | null } & Record<string, unknown>

/** Resolves at the first moment without such work; rejects with `ERR_PREPARE` naming it. */
export async function assertNoOldWork(
  control: ControlConnection,
  scope: readonly ScopedTable[],
  deadline: number,
): Promise<void> {
  const patientUntil = Math.min(deadline - LOOK_MILLIS, performance.now() + PATIENCE_MILLIS)
  const oids = scope.map(({ oid }) => oid)
  for (;;) {
    const found = await control.run<Row>(OLD_WORK, [oids])
    if (found.length === 0) return
    if (performance.now() >= patientUntil) {
      throw new CutoverError(
        'ERR_PREPARE',
        `the ${control.side} database has work that would make the hold long: ${found.slice(0, 5).map(describe).join('; ')}. Let it end, or end it`,
        { details: { transactions: found } },
      )
    }
    await delay(LOOK_MILLIS)
  }
}

const describe = (row: Row): string =>
  row.maintenance === null
    ? `a transaction older than 500 ms of ${describeTransaction(row)}`
    : `${row.maintenance}${row.relation === null ? '' : ` on ${row.relation}`} of ${describeTransaction(row)}`
