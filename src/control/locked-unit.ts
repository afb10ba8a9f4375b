// One statement on the server that waits for a table's lock in short turns, so that traffic never queues behind it for long.
import { setTimeout as delay } from 'node:timers/promises'
import type { ControlConnection } from './control-connection.js'
import { quoteLiteral } from './names.js'
import { UNIT, isLockFailure, unitError } from './unit.js'

/** Writers of a table queue behind whoever waits for its lock, so a wait outside the pause is short and repeated. */
export const LOCK_MILLIS = 150
/** A role that may not shorten `deadlock_timeout` must wait longer than it, once short waits have failed. */
const SHORT_WAITS = 3
const YIELD_MARGIN_MILLIS = 200

export interface LockedUnit {
  /** Finishes the sentence "… failed": what is done and where. */
  readonly what: string
  /** Takes the row's lock and finds nothing where the row is not as the act supposes. */
  readonly guard: string
  /** Statements of PL/pgSQL. */
  readonly act: string
}

const lockTimeout = (millis: number | 'past autovacuum'): string =>
  millis === 'past autovacuum'
    ? `(select (setting::int + ${YIELD_MARGIN_MILLIS})::text from pg_settings where name = 'deadlock_timeout')`
    : `'${millis}'`

/** One statement, so that a coordinator that stalls cannot keep the row's lock or the table's. */
export const lockedUnit = (
  { guard, act }: Pick<LockedUnit, 'guard' | 'act'>,
  lockMillis: number | 'past autovacuum',
): string =>
  `do ${quoteLiteral(`
begin
  perform set_config('lock_timeout', ${lockTimeout(lockMillis)}, true);
  begin
    -- An autovacuum yields once somebody has waited this long.
    perform set_config('deadlock_timeout', '10ms', true);
  exception when insufficient_privilege then
  end;
  ${guard};
  if not found then
    raise exception using errcode = '${UNIT.guard}', message = 'the row is not as it was read';
  end if;
  ${act}
end`)}`

/** Runs the unit again and again until it has its locks; rejects where the guard finds nothing and at the deadline. */
export async function persist(control: ControlConnection, deadline: number, work: LockedUnit): Promise<void> {
  for (let tried = 0; ; tried++) {
    try {
      await control.run(lockedUnit(work, tried < SHORT_WAITS ? LOCK_MILLIS : 'past autovacuum'))
      return
    } catch (error) {
      if (!isLockFailure(error) || performance.now() > deadline) throw unitError(error, work.what)
      // Random, so that two coordinators or an application's own retry do not meet again and again.
      await delay(20 + Math.random() * 200)
    }
  }
}
