// Fits the steps of a change of writer into the hold that contains them.
import { DEFAULT_TIMINGS, type Timings } from '../control/migration.js'
import { CutoverError } from '../errors.js'
import type { CutoverOptions } from './options.js'

const TIMING_NAMES = Object.keys(DEFAULT_TIMINGS) as readonly (keyof Timings)[]

/** The steps that lie inside the hold, so that none may have more time than the whole. */
const INSIDE_THE_HOLD = [
  'drainTimeoutMillis',
  'fenceTimeoutMillis',
  'catchUpTimeoutMillis',
  'stopReadsTimeoutMillis',
  'decideTimeoutMillis',
] as const satisfies readonly (keyof Timings)[]

/** A step that was not given a time shrinks with the hold; one that was given more than the hold is a contradiction. */
export function readTimings(given: Timings, input: CutoverOptions, where: string): Timings {
  const whole = Object.fromEntries(TIMING_NAMES.map((key) => [key, given[key]])) as {
    -readonly [K in keyof Timings]: number
  }
  for (const key of INSIDE_THE_HOLD) {
    if (whole[key] <= whole.holdTimeoutMillis) continue
    if (input[key] !== undefined)
      throw new CutoverError(
        'ERR_OPTION',
        `${where}${key} is ${whole[key]}; expected at most holdTimeoutMillis, ${whole.holdTimeoutMillis}, since the hold contains this step`,
      )
    whole[key] = whole.holdTimeoutMillis
  }
  return whole
}
