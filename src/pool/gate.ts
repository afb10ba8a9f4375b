// What a coordinator asks of one process: get ready, hold, drain, stop reading, and let everything go to one side.
import type { Side } from '../phase/phases.js'

/** A checked-out client that keeps a drain from ending. */
export interface LeaseReport {
  readonly side: Side
  readonly processId: number | undefined
  /** The text of the last statement, cut to 200 characters; may hold users' values, so never for a message. */
  readonly lastStatement: string | undefined
  readonly inTransaction: boolean
  /** The rest is what the server says, and missing where it does not answer. */
  readonly state?: string
  readonly applicationName?: string
  readonly clientAddress?: string
  readonly lastStatementStart?: string
}

/** The end of a hold is known to the process itself, so that no hold can outlive whoever asked for it. */
export interface HoldLease {
  readonly millis: number
  /**
   * Whether statements known to be reads go on on the side in use until `stopReads`. They wait where this process cannot know
   * that its side still has the last word, as after it met a fence.
   */
  readonly reads: 'flow' | 'wait'
  /**
   * Called at the end of the lease. Says on which side the held work may go on; it aborts the attempt or, where that
   * is no longer possible, completes it. A rejection gives the held work up as retryable (`57P03`).
   */
  ended(): Promise<Side>
}

/** What a hold cost the callers of this process. */
export interface ReleaseReport {
  readonly held: number
  readonly longestHeldMillis: number
  /** From the hold to the release. */
  readonly pauseMillis: number
}

/** One process as the coordinator sees it. Every method may be called again, and in any state. */
export interface Gate {
  /** The side that new work goes to. */
  readonly side: Side
  /**
   * Opens the other side's connections, runs `warmUp` once on each, and puts the queue in front; opens the connections for
   * reads in the hold. On rejection the route is as it was before; neither a warm-up that fails on a connection nor a want of
   * connections for reads is a reason. These take no more than half the time that is left until `deadline`, as
   * `performance.now()` counts it.
   */
  arm(warmUp?: string, deadline?: number): Promise<void>
  /** From this turn on new work waits. */
  hold(lease: HoldLease): void
  /** Resolves when nothing of this process runs on its side any more; rejects with `ERR_DRAIN_TIMEOUT` and the leases. */
  drain(deadlineMillis: number): Promise<void>
  /**
   * From this turn on reads wait too, until the release. One that was sent before may still be answered after it: by a state
   * between its call and its end, which misses nothing that was acknowledged before the call.
   */
  stopReads(deadlineMillis: number): Promise<void>
  /** Takes `arm` back; a gate that is held, by whoever it may be, stays so. */
  disarm(): void
  /** Lets everything go to this side: the flip, or the way back. Ends in the direct route. */
  release(side: Side): ReleaseReport
  /** Closes every idle connection to a side that was left, so that none is ever used again. */
  sweep(side: Side): Promise<void>
  /** The process ids of the server's backends that this process's pools have had on a side. */
  backends(side: Side): readonly number[]
}

/** The gate of a process that serves no traffic, such as the CLI. */
export const noGate = (side: () => Side): Gate => ({
  get side() {
    return side()
  },
  arm: () => Promise.resolve(),
  hold: () => {},
  drain: () => Promise.resolve(),
  stopReads: () => Promise.resolve(),
  disarm: () => {},
  release: () => ({ held: 0, longestHeldMillis: 0, pauseMillis: 0 }),
  sweep: () => Promise.resolve(),
  backends: () => [],
})
