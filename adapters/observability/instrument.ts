// What is said of each metric.

export interface Instrument {
  /** Without prefix; parts are divided by dots as OpenTelemetry does it. */
  readonly name: string
  /**
   * `state`: 1 for the label's present value and 0 for its others. `gauge`: a value whose sum over processes says nothing.
   * `level`: one whose sum does. `counter`: only ever grows. `histogram`: durations in buckets.
   */
  readonly kind: 'state' | 'gauge' | 'level' | 'counter' | 'histogram'
  /** Seconds, bytes, or in braces what is counted, also a second. */
  readonly unit: 's' | 'By' | `{${string}}` | `{${string}}/s` | ''
  /** Besides `migration`, which all have. */
  readonly labels: readonly string[]
  readonly help: string
}
