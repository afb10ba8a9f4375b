// Carries out work on a migration while it is shown and can be interrupted.
import type { Migration } from '../control/migration.js'
import { CutoverError, isCutoverError } from '../errors.js'
import type { Side } from '../phase/phases.js'
import { interruptible, RUN_AGAIN } from './interruption.js'
import type { Output } from './screen.js'
import { timeline, type Timeline } from './timeline.js'

/**
 * Gives what the work gives, and what was seen of it. Interrupted before the point of no return it rejects with `ERR_ABORTED`
 * once nothing is under way any more; interrupted twice at once, with `ERR_IN_DOUBT` if somebody may still be held.
 */
export async function carryOut<T>(
  m: Migration,
  from: Side,
  output: Output,
  work: (m: Migration) => Promise<T>,
): Promise<{ readonly result: T; readonly seen: Timeline }> {
  const seen = timeline(m, output)
  const interruption = interruptible(m, from, output, (line) => seen.say(line))
  const working = work(interruption.m)
  // Left behind by a second interruption, it must not end the process.
  working.catch(() => {})
  try {
    const result = await Promise.race([working.then((value) => ({ value })), interruption.again])
    if (result === 'again')
      throw interruption.paused
        ? new CutoverError('ERR_IN_DOUBT', `interrupted before it had ended. ${RUN_AGAIN}`)
        : new CutoverError('ERR_ABORTED', `interrupted before it had ended. ${RUN_AGAIN}`)
    return { result: result.value, seen }
  } catch (cause) {
    const pending = isCutoverError(cause, 'ERR_OPEN_PENDING') || isCutoverError(cause, 'ERR_IN_DOUBT')
    if (!interruption.interrupted || pending || isCutoverError(cause, 'ERR_ABORTED')) throw cause
    throw new CutoverError(
      'ERR_ABORTED',
      'interrupted; the writer is as before, and what was made so far is taken up by the same command',
      { cause },
    )
  } finally {
    interruption.end()
    seen.end()
  }
}
