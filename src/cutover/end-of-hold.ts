// Where the work that a process holds may go on, by the rows of the databases.
import type { Migration } from '../control/migration.js'
import { abort, readSide, type SideRow } from '../control/side-row.js'
import { rescueConnections } from '../coordinator/attempt.js'
import { SETTLE_MARGIN_MILLIS } from '../coordinator/find-writer.js'
import { SETTLE_MILLIS } from '../coordinator/lease.js'
import { settle } from '../coordinator/settle.js'
import { isCutoverError } from '../errors.js'
import type { Side } from '../phase/phases.js'

/**
 * The writer's row, after whatever was under way was ended; undefined where the migration has not begun, so that nothing
 * can have moved. `from` is the side in use; a fence that stands there may be left to its coordinator for a while.
 */
export async function endOfHold(
  m: Migration,
  from: Side,
  patienceMillis: number,
): Promise<SideRow | undefined> {
  try {
    return await settle({
      name: m.name,
      from,
      connections: m.control,
      deadline: performance.now() + patienceMillis + SETTLE_MARGIN_MILLIS,
      patienceMillis,
    })
  } catch (error) {
    // The old side's row is the first thing that a migration makes, and a source may ask for a hold before that.
    const mayBeFirst = from === 'old' && isCutoverError(error, 'ERR_PHASE_UNKNOWN')
    if (mayBeFirst && (await readSide(m.control.old, m.name)) === undefined) return undefined
    throw error
  }
}

/**
 * As {@link endOfHold}, by a member of the fleet whose hold is over: over connections of its own, since nobody waits longer
 * than a few round trips. `useUp`: the epoch of an attempt whose fence may still come.
 */
export async function endOfMembersHold(
  m: Migration,
  from: Side,
  useUp: number | undefined,
): Promise<SideRow | undefined> {
  const connections = rescueConnections(m)
  const { name } = m
  try {
    // First of all, since it waits for a fence under way, or uses the epoch up so that a later one finds no row.
    if (useUp !== undefined) await abort(connections[from], name, useUp).catch(() => {})
    return await settle({ name, from, connections, useUp, deadline: performance.now() + SETTLE_MILLIS })
  } finally {
    // A server that does not answer is not waited for.
    void Promise.all([connections.old.close(), connections.new.close()])
  }
}
