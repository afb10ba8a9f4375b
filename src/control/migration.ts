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

/** How the record of changes is written to the other side; `DEFAULT_DUAL_WRITE` has the defaults. */
export interface DualWriteSettings {
  /** When a write resolves: once it is committed and on record, or once the other side has it too. */
  readonly await: 'recorded' | 'applied'
  readonly awaitTimeoutMillis: number
  /** Names on the new side of tables that have another one there, by their names on the old side. */
  readonly mapped: Readonly<Record<string, string>>
  /** Most rows, and about the most bytes, that one transaction writes to the other side. */
  readonly batchRows: number
  readonly batchBytes: number
  /** Bounds the load on both servers; Infinity for as fast as they go. */
  readonly maxRowsPerSecond: number
  readonly backfillRowsPerSecond: number
  /** From here on a `warning` event tells that the record grows: its age, its rows, its bytes on the writer's disk. */
  readonly alarmAgeMillis: number
  readonly alarmRows: number
  readonly alarmBytes: number
}

export const DEFAULT_DUAL_WRITE: DualWriteSettings = {
  await: 'recorded',
  awaitTimeoutMillis: 2_000,
  mapped: {},
  batchRows: 2_000,
  batchBytes: 4 * 1024 * 1024,
  maxRowsPerSecond: Infinity,
  backfillRowsPerSecond: Infinity,
  alarmAgeMillis: 60_000,
  alarmRows: 1_000_000,
  alarmBytes: 1024 * 1024 * 1024,
}

export interface Migration {
  readonly name: string
  readonly control: Readonly<Record<Side, ControlConnection>>
  /** How the *other* side's server reaches this one: a libpq connection string. Secret. */
  readonly reachedBy: Readonly<Record<Side, string>>
  /** As whom the application's own pools connect; left out where this process has none. */
  readonly poolRoles?: Readonly<Record<Side, string | undefined>>
  /** Tables in scope as `schema.table`, by their names on the old side; undefined: every table of the application. */
  readonly tables: readonly string[] | undefined
  readonly mirror: 'replication' | 'dual-write' | 'none'
  readonly dualWrite: DualWriteSettings
  /** `barrier`: every process of the fleet answers before the writer is changed. `fence-only`: the fence alone is relied on. */
  readonly members: 'barrier' | 'fence-only'
  /** How this process is listed in the roster of the fleet; undefined where it is no member, such as the command line. */
  readonly self?: string | undefined
  readonly onDrainTimeout: 'abort' | 'cancel'
  /** How often a change of writer is tried when an attempt ended without a change. */
  readonly attempts: number
  readonly timings: Timings
  readonly events: CutoverEvents
  readonly gate: Gate
}
