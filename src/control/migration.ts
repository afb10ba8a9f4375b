// Everything the coordinator knows about one migration: its sides, its scope, its limits and the process it runs in.
import type { ControlConnection } from './control-connection.js'
import type { CutoverEvents } from '../events.js'
import type { Side } from '../phase/phases.js'
import type { Gate } from '../pool/gate.js'

/** Deadlines of the steps, in milliseconds; `DEFAULT_TIMINGS` has the defaults. */
export interface Timings {
  readonly prepareTimeoutMillis: number
  /** The whole hold, checked again after the locks are granted and before `decide`. At most 10,000. */
  readonly holdTimeoutMillis: number
  readonly drainTimeoutMillis: number
  readonly fenceTimeoutMillis: number
  readonly catchUpTimeoutMillis: number
  readonly stopReadsTimeoutMillis: number
  readonly decideTimeoutMillis: number
  readonly reverseTimeoutMillis: number
  /** For the initial copy; it may take days. */
  readonly copyTimeoutMillis: number
}

export const DEFAULT_TIMINGS: Timings = {
  prepareTimeoutMillis: 30_000,
  holdTimeoutMillis: 5_000,
  drainTimeoutMillis: 2_500,
  fenceTimeoutMillis: 1_500,
  catchUpTimeoutMillis: 3_000,
  stopReadsTimeoutMillis: 2_500,
  decideTimeoutMillis: 1_000,
  reverseTimeoutMillis: 30_000,
  copyTimeoutMillis: 7 * 24 * 3_600_000,
}

export interface Migration {
  readonly name: string
  readonly control: Readonly<Record<Side, ControlConnection>>
  /** How the *other* side's server reaches this one: a libpq connection string. Secret. */
  readonly reachedBy: Readonly<Record<Side, string>>
  /** Tables in scope as `schema.table`; undefined: every table of the application. */
  readonly tables: readonly string[] | undefined
  readonly mirror: 'replication' | 'none'
  readonly onDrainTimeout: 'abort' | 'cancel'
  /** How often a change of writer is tried when an attempt ended without a change. */
  readonly attempts: number
  readonly timings: Timings
  readonly events: CutoverEvents
  readonly gate: Gate
}
