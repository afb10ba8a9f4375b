// A connection of our own with more time for one statement than the control connection grants, for work outside the pause.
import type { ControlConnection } from '../control/control-connection.js'

/** Runs `work` on a second connection whose statements may take `millis`, and closes it. */
export async function patiently<T>(
  control: ControlConnection,
  millis: number,
  work: (connection: ControlConnection) => Promise<T>,
): Promise<T> {
  const connection = control.fork({ statementTimeoutMillis: millis, lockTimeoutMillis: millis })
  try {
    return await work(connection)
  } finally {
    await connection.close()
  }
}
