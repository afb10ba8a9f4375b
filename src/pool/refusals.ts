// Why calls of the facade are failed by the facade itself.
import { CutoverError } from '../errors.js'

/** pg-pool's own error for a pool that was ended. */
export const poolEnded = (): Error => new Error('Cannot use a pool after calling end on the pool')

export const phaseUnknown = (): Error =>
  new CutoverError(
    'ERR_PHASE_UNKNOWN',
    'no phase is known: the source has not said one and no side remembers one; set `fallback` to serve all the same',
  )

/** Why a held call was given up; data layers know the code as one to retry. */
export const gaveUp = (cause: unknown): Error =>
  new CutoverError(
    '57P03',
    'the database is being moved and the call could not be let through in time; retry it',
    {
      cause,
    },
  )

export const holdOver = (): CutoverError =>
  new CutoverError('ERR_HOLD_TIMEOUT', 'the hold ended before everything was drained')
