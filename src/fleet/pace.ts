// How often a member asks the side that it uses, besides each time that it is told something.
import { BEAT_MILLIS } from './words.js'

/** While new work waits, on both sides. */
export const HELD_LOOK_MILLIS = 200
/** Before the migration has begun here. */
const EARLY_MILLIS = 1_000
const TROUBLE_MILLIS = 250
/** After this process has changed the writer, if it is listed there: its callers come first. Well inside the confirmation that it begins with. */
export const FIRST_LOOK_MILLIS = 100

interface Pace {
  readonly holds: boolean
  /** The side does not answer, or does not confirm this process. */
  readonly troubled: boolean
  readonly begun: boolean
}

export function lookMillis({ holds, troubled, begun }: Pace): number {
  if (holds) return HELD_LOOK_MILLIS
  if (troubled) return TROUBLE_MILLIS
  return begun ? BEAT_MILLIS : EARLY_MILLIS
}
