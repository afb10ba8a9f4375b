// Where the work that a process holds may go on, by the rows of the databases.
import type { Migration } from '../control/migration.js'
import { readSide, type SideRow } from '../control/side-row.js'
import { SETTLE_MARGIN_MILLIS } from '../coordinator/find-writer.js'
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
