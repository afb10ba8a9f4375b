// Has all processes of a migration count their compared reads anew.
import type { ControlConnection } from '../control/control-connection.js'
import { COUNTS_VERSION, ensureControlSchema } from '../control/schema.js'
import { otherSide, type Side } from '../phase/phases.js'
import { newestGeneration } from './store-reading.js'
import { RESET } from './store-sql.js'

/**
 * Gives the new generation, which is above `known`. Each process follows by its next save, and what was saved before is
 * void at once. Rejects where the side that takes writes does not answer; the other one may be away.
 */
export async function countAnew(
  control: Readonly<Record<Side, ControlConnection>>,
  name: string,
  writer: Side,
  known = 0,
): Promise<number> {
  const generation = 1 + Math.max(known, await newestGeneration(control, name))
  await withTables(control[writer], () => control[writer].run(RESET, [name, generation]))
  // What is left there is older than the generation of the writer's side, to which all processes go by.
  await control[otherSide(writer)].run(RESET, [name, generation]).catch(() => {})
  return generation
}

/** A migration that was begun with an older version of the library has no tables for this yet. */
export async function withTables<T>(control: ControlConnection, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === '42P01')) throw error
    await ensureControlSchema(control, COUNTS_VERSION)
    return work()
  }
}
