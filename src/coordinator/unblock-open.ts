// Ends our own transactions that keep a side's row locked, so that nothing of ours delays the opening of that side.
import type { ControlConnection } from '../control/control-connection.js'
import { CONTROL_APPLICATION, RELAY_APPLICATION } from '../control/names.js'
import { isLockFailure } from '../control/unit.js'

/** Rethrows what is no lock failure. */
export async function unblockOpen(control: ControlConnection, error: unknown): Promise<void> {
  if (!isLockFailure(error)) throw error
  await control.run(
    `select pg_terminate_backend(a.pid) from pg_stat_activity a
      where a.pid <> pg_backend_pid() and a.application_name = any ($1::text[]) and a.datname = current_database()
        and a.xact_start < clock_timestamp() - interval '200 ms'
        and exists (select from pg_locks l where l.pid = a.pid and l.granted and l.locktype = 'relation'
          and l.database = (select oid from pg_database where datname = current_database())
          and l.relation = 'cutover.side'::regclass and l.mode in ('RowShareLock', 'RowExclusiveLock'))`,
    [[CONTROL_APPLICATION, RELAY_APPLICATION]],
  )
}
