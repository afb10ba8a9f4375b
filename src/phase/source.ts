// The contract between a migration and whatever says where it should be: a flag service, a file, a table, code.
import type { Side } from './phases.js'

/**
 * What a source reports: a value to be parsed as a wish, that it cannot say, or something that the operator should know
 * (published as a `warning` event; it changes nothing).
 */
export type SourceReport =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'unavailable'; readonly reason: string }
  | { readonly kind: 'warning'; readonly code: string; readonly message: string }

/** What a source is told of the migration that it speaks for. */
export interface WatchedMigration {
  /** The migration's `name`. */
  readonly name: string
}

/** One call of real traffic as its caller saw it, with the wait for a connection. */
export interface SampledCall {
  /** By the command that the server has named, or by the text's first word where it failed. */
  readonly operation: 'read' | 'write'
  readonly side: Side
  readonly millis: number
  readonly failed: boolean
  /** Whether both sides gave the same answer; absent where only one was asked. */
  readonly consistent?: boolean
  /** What the other side took, where it was asked and has answered. */
  readonly otherMillis?: number | undefined
}

/** For sources that measure the migration: takes a sample of the traffic. */
export interface Sampler {
  /** At most this many timed calls a second, above 0 and up to 1,000, and as many that both sides were asked about. */
  readonly perSecond: number
  /** Asked before each sample is taken; nothing is measured while it is false. */
  readonly active: boolean
  /** Must neither throw nor block. */
  take(call: SampledCall): void
}

/**
 * Gives the desired phase, never the effective one. A source that is silent, gone or wrong never moves traffic:
 * it reports `unavailable` or garbage, and the last known phase stays.
 */
export interface Source {
  /** For status and messages; never a secret. */
  readonly name: string
  /**
   * Starts watching. `report` is called with the first value as soon as it is known and then at each change;
   * a burst may be reported as its last value only, and the same value again does no harm. Must not throw later: trouble
   * is reported as `unavailable`. Called once.
   */
  watch(report: (report: SourceReport) => void, migration: WatchedMigration): void | Promise<void>
  /** Stops watching and frees everything. Idempotent; no report comes after it. */
  close(): void | Promise<void>
  readonly sampler?: Sampler | undefined
}
