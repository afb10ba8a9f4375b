// A connection of our own with more time for one statement than the control connection grants, for work outside the pause.
import type { ControlConnection } from '../control/control-connection.js'

/** Runs `work` on a second connection whose statements may take `millis`, and closes it. */
export async function patiently<T>(
  control: ControlConnection,
  millis: number,
  work: (connection: ControlConnection) => Promise<T>,
): Promise<T> {
  const connection = control.fork()
  try {
    await connection.run(
      `select set_config('statement_timeout', $1, false), set_config('lock_timeout', $1, false),
        set_config('idle_in_transaction_session_timeout', $1, false),
        case when current_setting('server_version_num')::int >= 170000
          then set_config('transaction_timeout', $1, false) end`,
      [String(Math.min(millis, MAX_SETTING))],
    )
    return await work(connection)
  } finally {
    await connection.close()
  }
}

const MAX_SETTING = 2_147_483_647
