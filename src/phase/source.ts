// The contract between a migration and whatever says where it should be: a flag service, a file, a table, code.

/** What a source reports: a value to be parsed as a wish, or that it cannot say. */
export type SourceReport =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'unavailable'; readonly reason: string }

/**
 * Gives the desired phase, never the effective one. A source that is silent, gone or wrong never moves traffic:
 * it reports `unavailable` or garbage, and the last known phase stays.
 */
export interface Source {
  /** For status and messages; never a secret. */
  readonly name: string
  /**
   * Starts watching. `report` is called with the first value as soon as it is known and then at each change;
   * a burst may be reported as its last value only. Must not throw later: trouble is reported as `unavailable`.
   */
  watch(report: (report: SourceReport) => void): void | Promise<void>
  /** Stops watching and frees everything. Idempotent; no report comes after it. */
  close(): void | Promise<void>
}
