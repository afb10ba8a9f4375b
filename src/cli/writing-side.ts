// Finds the side that takes writes, for commands that look at its record.
import type { Migration } from '../control/migration.js'
import { readSide } from '../control/side-row.js'
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
  for (const side of ['old', 'new'] as const) {
    try {
      const row = await readSide(m.control[side], m.name)
      if (row === undefined) continue
      isBegun = true
      await refuseOtherMirror(m, side)
      if (row.status === 'writer') return side
    } catch (error) {
      if (!isCutoverError(error, 'ERR_UNREACHABLE')) throw error
      unreachable.push(error.message)
    }
  }
  if (unreachable.length > 0) throw new CutoverError('ERR_UNREACHABLE', unreachable.join('; '))
  if (!isBegun) return undefined
  throw new CutoverError(
    'ERR_RIVAL',
    'a change of writer is under way or was left; pg-cutover status says more',
  )
}
