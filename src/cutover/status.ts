// The state of one process's migration as plain data.
import type { Phase, Side } from '../phase/phases.js'

/** What `cutover.status()` gives; safe to log and to serialise. */
export interface Status {
  readonly name: string
  readonly mode: 'direct' | 'coordinated'
  readonly phase: Phase | undefined
  readonly epoch: number
  /** Where new work of this process goes. */
  readonly side: Side
  readonly route: 'unknown' | 'refusing' | 'direct' | 'armed' | 'held' | 'releasing' | 'ended'
  /** Calls that wait in the facade's line. */
  readonly waiting: number
  /** How long the present hold lasts; 0 when nothing is held. */
  readonly heldMillis: number
  /** Checked out, being connected or waiting inside the pool of each side. */
  readonly inFlight: Readonly<Record<Side, number>>
  readonly source: {
    readonly name: string
    readonly lastHeard: string | undefined
    readonly lastHeardAt: string | undefined
    readonly lastWish: string | undefined
    /** Why the source's present word is not done; undefined when it is. */
    readonly whyNot: string | undefined
  }
}
