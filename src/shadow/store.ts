// What each process keeps of its comparisons for all others, and where they find it.
import type { Mismatch, Outcome, PlanChange, ShadowTotals } from './report.js'

/** A statement as in `StatementReport`, with latencies that can be added to those of other processes. */
export interface KeptStatement {
  readonly fingerprint: string
  readonly text: string | undefined
  readonly compared: number
  readonly outcomes: Readonly<Record<Outcome, number>>
  /** Latencies of each side, as `latency.ts` writes them. */
  readonly old: string
  readonly new: string
  readonly planChange: PlanChange | undefined
}

/** All that one process has counted since it began, or since counting was begun anew. */
export interface KeptReport extends ShadowTotals {
  /** When this process began to count, in ISO form. */
  readonly since: string
  readonly statements: readonly KeptStatement[]
  readonly mismatches: readonly Mismatch[]
}

/** What counts comparisons in this process. */
export interface Counting {
  /** Greater after everything that was counted; so nothing is saved while it stays the same. */
  readonly changes: number
  kept(): KeptReport
  /** Forgets everything that was counted. */
  forget(): void
}

/** A statement whose answers have differed for real. */
export interface RealStatement {
  readonly fingerprint: string
  readonly text: string | undefined
  readonly real: number
}

/** How many comparisons of other processes have differed for real, and some of the statements. */
export interface RealElsewhere {
  readonly real: number
  readonly statements: readonly RealStatement[]
}

/**
 * Where the processes of a fleet see each other's counts. `outdated`: another process, or the command line, has had the
 * counting begin anew, so that what this one has counted until now has to be forgotten.
 */
export interface ShadowStore {
  /** Saves what this process has counted, unless it is outdated. Rejects where the database does. */
  save(report: KeptReport): Promise<'saved' | 'outdated'>
  /** Reads what the other processes have found since counting was last begun anew. */
  elsewhere(): Promise<RealElsewhere & { readonly outdated: boolean }>
  /** Has every process count anew, by its next save at the latest. Rejects where the side in use does not answer. */
  reset(): Promise<void>
}
