// Finds values that mean another moment each time they are sent.
import { MOVING_CONSTANT } from '../reads/built-ins.js'

/** Nothing longer is read as a date; an array of some may be. */
const LONGEST = 200

/** Whether one of the values is a word such as `now`, of which the server makes a date when it comes. */
export function tellsTheTime(values: readonly unknown[]): boolean {
  return values.some((value) =>
    Array.isArray(value)
      ? tellsTheTime(value)
      : typeof value === 'string' && value.length <= LONGEST && MOVING_CONSTANT.test(value),
  )
}
