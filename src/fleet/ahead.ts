// A member's look at the side that it does not use, which may be opened without its own side having a say any more.
import { otherSide, type Side } from '../phase/phases.js'
import type { Hearing, HeardThen } from './hearing.js'
import { Looking } from './looking.js'
import { HELD_LOOK_MILLIS } from './pace.js'
import type { MemberState } from './words.js'

const REST_MILLIS = 2_000
const LONGEST_MILLIS = 10_000

export interface AheadOptions {
  readonly hearings: Readonly<Record<Side, Hearing>>
  /** The side in use. */
  readonly side: () => Side
  /** Whether the migration has begun; before that nothing is there. */
  readonly begun: () => boolean
  /** Whether new work waits for the other side to be opened. */
  readonly holds: () => boolean
  readonly state: () => MemberState
  readonly heard: (side: Side, heard: HeardThen) => void
}

/** `heard` is told what the side says that is not in use. */
export function lookAhead({ hearings, side, begun, holds, state, heard }: AheadOptions): Looking {
  let rest = REST_MILLIS
  return new Looking(
    async () => {
      if (!begun()) return
      const ahead = otherSide(side())
      const hearing = hearings[ahead]
      try {
        // Where it is listed ahead, one answer both finds the side open and confirms.
        heard(ahead, await (hearing.listed ? hearing.hear(state()) : hearing.look()))
        rest = REST_MILLIS
      } catch {
        // Nobody may ever start it again.
        rest = Math.min(2 * rest, LONGEST_MILLIS)
      }
    },
    () => (holds() ? HELD_LOOK_MILLIS : rest),
  )
}
