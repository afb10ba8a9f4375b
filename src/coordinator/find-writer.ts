// Finds the side that a process which has just started may serve, by the rows alone.
import type { Migration } from '../control/migration.js'
import { readSide, type SideRow } from '../control/side-row.js'
import { isCutoverError } from '../errors.js'
import { settle } from './settle.js'

/** For a process that starts in the middle of somebody's cutover, and for one that met a fence: on top of the hold. */
export const SETTLE_MARGIN_MILLIS = 5_000

/**
 * The writer's row; undefined where the migration has not begun. A side that does not answer is no reason to wait if the
 * other one writes; otherwise it rejects with that side's error.
 */
export async function findWriter(m: Migration): Promise<SideRow | undefined> {
  const { name, control } = m
  const [old, opened] = await Promise.allSettled([readSide(control.old, name), readSide(control.new, name)])
  for (const one of [old, opened]) {
    if (one.status === 'rejected' && isCutoverError(one.reason, 'ERR_PREFLIGHT')) throw one.reason
  }
  const newWrites =
    opened.status === 'fulfilled' &&
    opened.value?.status === 'writer' &&
    !(old.status === 'fulfilled' && outranks(m, old.value, opened.value))
  const newKnows = opened.status === 'fulfilled' && opened.value !== undefined
  // The old side's row is the first thing that a migration makes, and it is never taken away.
  if (old.status === 'fulfilled' && old.value === undefined && !newKnows) return undefined
  if (old.status === 'rejected' && !newWrites) throw old.reason
  const { holdTimeoutMillis } = m.timings
  return settle({
    name,
    from: newWrites ? 'new' : 'old',
    connections: control,
    deadline: performance.now() + holdTimeoutMillis + SETTLE_MARGIN_MILLIS,
    patienceMillis: holdTimeoutMillis,
  })
}

/** Both say that they write: one was restored from a state of before, which the later epoch tells. */
function outranks(m: Migration, old: SideRow | undefined, opened: SideRow): boolean {
  if (old?.status !== 'writer') return false
  const oldIsLater = old.epoch > opened.epoch
  const [writer, restored] = oldIsLater ? [old, opened] : [opened, old]
  m.events.publish('warning', {
    name: m.name,
    code: 'TWO_WRITERS',
    message: `both databases say that they take writes: the ${writer.side} one at epoch ${writer.epoch} is used, the ${restored.side} one at epoch ${restored.epoch} was restored from an older state and must not be written`,
  })
  return oldIsLater
}
