// Typed events of a migration, emitted to listeners and published on node:diagnostics_channel.
import { EventEmitter } from 'node:events'
import { channel } from 'node:diagnostics_channel'

/** One line of the timeline of a change of phase. */
export interface StepEvent {
  readonly name: string
  readonly epoch: number
  readonly direction: 'old→new' | 'new→old'
  readonly step: string
  readonly state: 'started' | 'done' | 'failed'
  /** Milliseconds since the step started; absent on `started`. */
  readonly millis?: number
  readonly detail?: string
}

/** How far a long step has come, such as the initial copy. */
export interface ProgressEvent {
  readonly name: string
  readonly step: string
  readonly detail: string
  readonly done: number
  readonly total: number
}

/** The end of one attempt to change the writer. */
export interface CutoverEvent {
  readonly name: string
  readonly epoch: number
  readonly direction: 'old→new' | 'new→old'
  readonly outcome: 'done' | 'aborted' | 'pending'
  /** From the hold to the flip, as this process measured it. */
  readonly pauseMillis: number
  /** The longest that one held call of this process waited. */
  readonly longestHeldMillis: number
  /** Each step's milliseconds. */
  readonly steps: Readonly<Record<string, number>>
  readonly reason?: string
}

export interface EventMap {
  phase: [{ readonly name: string; readonly from: string | undefined; readonly to: string }]
  /** Every wish heard, with what became of it and why. */
  wish: [
    {
      readonly name: string
      readonly source: string
      readonly value: string
      readonly outcome: 'followed' | 'ignored' | 'refused' | 'unavailable'
      readonly reason: string
    },
  ]
  step: [StepEvent]
  progress: [ProgressEvent]
  cutover: [CutoverEvent]
  /** A route was swapped in this process. */
  route: [{ readonly name: string; readonly route: string; readonly side: string }]
  /** A statement of this process met a fence. */
  fence: [{ readonly name: string; readonly side: string; readonly epoch: number }]
  /** An idle connection of the side that is not in use failed. */
  sideError: [{ readonly name: string; readonly side: string; readonly error: Error }]
  /** Somebody outside the fleet still talks to the side that was left. */
  rogueWriters: [{ readonly name: string; readonly side: string; readonly backends: readonly RogueBackend[] }]
  /** A sampled read was answered differently by the two sides, and it is known why. */
  mismatch: [MismatchEvent]
  warning: [{ readonly name: string; readonly code: string; readonly message: string }]
}

/** What became of a compared read whose two answers differed. Without users' values. */
export interface MismatchEvent {
  readonly name: string
  /** Names the statement in the report of compared reads. */
  readonly fingerprint: string
  /**
   * `lag`: the same once the mirror had passed. `order`: the same rows in another order, or rows that the statement leaves
   * the server free to choose. `real`: they differ. `unsettled`: the rows kept changing, so that nothing can be said.
   */
  readonly outcome: 'lag' | 'order' | 'real' | 'unsettled'
  /** What differs, in words. */
  readonly detail: string
}

/** A backend on the side that was left which is none of ours. */
export interface RogueBackend {
  readonly pid: number
  readonly applicationName: string
  readonly user: string
  readonly clientAddress: string
  readonly state: string
  readonly lastQueryStart: string
  /** The process of the fleet that it belongs to; undefined where it is of none. */
  readonly member: string | undefined
}

const CHANNELS = {
  phase: channel('pg-cutover:phase'),
  wish: channel('pg-cutover:wish'),
  step: channel('pg-cutover:step'),
  progress: channel('pg-cutover:progress'),
  cutover: channel('pg-cutover:cutover'),
  route: channel('pg-cutover:route'),
  fence: channel('pg-cutover:fence'),
  sideError: channel('pg-cutover:sideError'),
  rogueWriters: channel('pg-cutover:rogueWriters'),
  mismatch: channel('pg-cutover:mismatch'),
  warning: channel('pg-cutover:warning'),
} as const satisfies Record<keyof EventMap, unknown>

/**
 * The events of one migration. A listener that throws is reported as an uncaught exception in a turn of its own:
 * an observer can never change what is observed.
 */
export class CutoverEvents extends EventEmitter<EventMap> {
  /** Emits to the listeners and to the diagnostics channel `pg-cutover:<event>`. */
  publish<K extends keyof EventMap>(event: K, message: EventMap[K][0]): void {
    if (CHANNELS[event].hasSubscribers) CHANNELS[event].publish(message)
    for (const listener of this.rawListeners(event)) {
      try {
        Reflect.apply(listener, this, [message])
      } catch (error) {
        process.nextTick(() => {
          throw error
        })
      }
    }
  }
}
