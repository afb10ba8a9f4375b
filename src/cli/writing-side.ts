// Finds the side that takes writes, for commands that look at its record.
import type { Migration } from '../control/migration.js'
import { readSide, type SideRow } from '../control/side-row.js'
import { CutoverError, isCutoverError } from '../errors.js'
import type { Side } from '../phase/phases.js'
import { refuseOtherMirror } from './look.js'

/**
 * Undefined before the migration has begun. The other side need not answer. Throws `ERR_UNREACHABLE` where that leaves it
 * open who writes, and `ERR_RIVAL` during a change of writer.
 */
export async function writingSide(m: Migration): Promise<Side | undefined> {
  const unreachable: string[] = []
  let isBegun = false
  let writer: SideRow | undefined
  for (const side of ['old', 'new'] as const) {
    try {
      const row = await readSide(m.control[side], m.name)
      if (row === undefined) continue
      isBegun = true
      await refuseOtherMirror(m, side)
      // Where both say so, one was restored from a state of before.
      if (row.status === 'writer' && row.epoch > (writer?.epoch ?? -1)) writer = row
    } catch (error) {
      if (!isCutoverError(error, 'ERR_UNREACHABLE')) throw error
      unreachable.push(error.message)
    }
  }
  if (writer) return writer.side
  if (unreachable.length > 0) throw new CutoverError('ERR_UNREACHABLE', unreachable.join('; '))
  if (!isBegun) return undefined
  throw new CutoverError(
    'ERR_RIVAL',
    'a change of writer is under way or was left; pg-cutover status says more',
  )
}
