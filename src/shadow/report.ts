// What was found by comparing reads: plain data without users' values, unless they were asked for.

/** Why a sampled read was not compared. */
export type Skip =
  /** All comparing connections were busy, or too many comparisons were waiting. */
  | 'busy'
  /** A side could not be reached or had no connection left, or refused our own session what the caller's could do. */
  | 'unavailable'
  | 'timeout'
  | 'tooLarge'
  /** The answer changes by itself, as with now() and random(). */
  | 'volatile'
  /** The writer changed, or comparing ended, meanwhile. */
  | 'interrupted'

/** What a comparison came to; see `MismatchEvent`. */
export type Outcome = 'equal' | 'lag' | 'order' | 'real' | 'unsettled'

export interface Percentiles {
  /** Milliseconds; undefined while nothing was measured. */
  readonly p50: number | undefined
  readonly p95: number | undefined
  readonly p99: number | undefined
}

/** A statement whose plan has another shape on the two sides. */
export interface PlanChange {
  readonly old: string
  readonly new: string
  /** The new side's median over the old side's, as far as measured. */
  readonly slowdown: number | undefined
}

export interface StatementReport {
  readonly fingerprint: string
  /** Without comments and with its constants replaced; undefined where the parser is not installed, since the text may hold users' values. */
  readonly text: string | undefined
  readonly compared: number
  readonly outcomes: Readonly<Record<Outcome, number>>
  readonly old: Percentiles
  readonly new: Percentiles
  readonly planChange: PlanChange | undefined
}

export interface Mismatch {
  readonly fingerprint: string
  readonly outcome: Exclude<Outcome, 'equal'>
  readonly at: string
  readonly detail: string
  /** Digests of the rows that one side alone has, by which the same difference is known again; at most ten of each. */
  readonly keys: { readonly old: readonly string[]; readonly new: readonly string[] }
  /** Only with the option `values`. */
  readonly values?:
    | { readonly old: readonly (readonly unknown[])[]; readonly new: readonly (readonly unknown[])[] }
    | undefined
}

export interface ShadowTotals {
  readonly compared: number
  readonly outcomes: Readonly<Record<Outcome, number>>
  readonly skipped: Readonly<Record<Skip, number>>
}

export interface ShadowReport extends ShadowTotals {
  readonly name: string
  /** When counting began, or was begun anew. */
  readonly since: string
  /** Whether reads are being compared now. */
  readonly comparing: boolean
  /** Most mismatches first, then slowest plan changes, then most compared. */
  readonly statements: readonly StatementReport[]
  /** The latest of each statement, `real` first. */
  readonly mismatches: readonly Mismatch[]
}

export const noTotals = (): ShadowTotals => ({
  compared: 0,
  outcomes: { equal: 0, lag: 0, order: 0, real: 0, unsettled: 0 },
  skipped: { busy: 0, unavailable: 0, timeout: 0, tooLarge: 0, volatile: 0, interrupted: 0 },
})
