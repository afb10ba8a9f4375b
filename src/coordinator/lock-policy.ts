// How the fence waits for its locks: so that an autovacuum yields to it, and an application never loses a deadlock to it.
import type { Run } from '../control/control-connection.js'
import { CutoverError } from '../errors.js'
import { isServerError } from '../control/unit.js'

export interface LockPolicy {
  /** The role may shorten `deadlock_timeout`, by which an autovacuum yields at once. */
  readonly mayYield: boolean
  readonly timeoutMillis: number
}

/** Below the statement's own bound, so that the error says that it was a lock. */
const MARGIN_MILLIS = 100
/** An autovacuum is only made to yield by somebody who has waited for `deadlock_timeout`, and then takes a moment. */
const YIELD_MARGIN_MILLIS = 200
/** Of the server's `deadlock_timeout`: a deadlock is looked for once a wait, so whoever began to wait later would find it. */
const GIVE_WAY = 0.8

export async function readLockPolicy(run: Run, fenceTimeoutMillis: number): Promise<LockPolicy> {
  const [row] = await run<{ millis: number }>(
    `select setting::int as millis from pg_settings where name = 'deadlock_timeout'`,
  )
  const deadlockMillis = row?.millis ?? 1_000
  const most = fenceTimeoutMillis - MARGIN_MILLIS
  try {
    await run(`select set_config('deadlock_timeout', '10ms', true)`)
    return {
      mayYield: true,
      timeoutMillis: Math.max(1, Math.min(most, Math.floor(deadlockMillis * GIVE_WAY))),
    }
  } catch (error) {
    if (!isServerError(error)) throw error
  }
  const needed = deadlockMillis + YIELD_MARGIN_MILLIS
  if (most >= needed) return { mayYield: false, timeoutMillis: most }
  throw new CutoverError(
    'ERR_PREPARE',
    `fenceTimeoutMillis is ${fenceTimeoutMillis}, but an autovacuum yields only after the server's deadlock_timeout: raise it to ${needed + MARGIN_MILLIS}, or GRANT SET ON PARAMETER deadlock_timeout to this role`,
  )
}
