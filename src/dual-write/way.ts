// Which way the relay may write to a side: as a replica, or plainly, as a role that the fence and the capture know by name.
import type { Run } from '../control/control-connection.js'
import { CutoverError } from '../errors.js'
import type { Side } from '../phase/phases.js'

/**
 * `replica`: foreign keys and triggers of the side that is written are silent, as for an apply worker. `plain`: they are
 * not, so that only tables without any are mirrored.
 */
export type RelayWay = 'replica' | 'plain'

const INSUFFICIENT_PRIVILEGE = '42501'

/**
 * Tried, and not read from the catalog: managed services let roles do it that Postgres itself would not, and some of them by
 * the statement SET alone. Changes nothing.
 */
export async function wayOf(run: Run): Promise<RelayWay> {
  try {
    // Only for the transaction that the two statements of this text are.
    await run('set local session_replication_role = replica; select')
    return 'replica'
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === INSUFFICIENT_PRIVILEGE) return 'plain'
    throw error
  }
}

/**
 * The way of this connection's role to write to `side`, noted in the side's row: fence and capture of that side let the
 * role named there pass while it is mirrored to. Call it before the capture is installed, outside a transaction.
 */
export async function relayWay(run: Run, m: { readonly name: string }, side: Side): Promise<RelayWay> {
  const way = await wayOf(run)
  // Another role's entry is left alone where this one needs none: a process with fewer rights may go by it.
  const [row] = await run<{ there: boolean }>(
    `with noted as (
       update cutover.side set relay_role = case when $2 = 'plain' then session_user::text end
        where name = $1 and case when $2 = 'plain' then relay_role is distinct from session_user
          else relay_role = session_user end)
     select true as there from cutover.side where name = $1`,
    [m.name, way],
  )
  if (row) return way
  throw new CutoverError(
    'ERR_PREPARE',
    `the ${side} database knows nothing of migration "${m.name}" yet, so nothing can be written to it`,
  )
}
