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

/** Where the processes of a fleet see each other's counts. */
export interface ShadowStore {
  /** Saves what this process has counted. `forget`: counting was begun anew by another process, and nothing was saved. */
  save(report: KeptReport): Promise<'saved' | 'forget'>
  /** What the other processes have counted since counting was last begun anew; `forget` as in {@link save}. */
  load(): Promise<{ readonly others: readonly KeptReport[]; readonly forget: boolean }>
  /** Has every process begin to count anew; this one has done so before it calls. */
  reset(): Promise<void>
}
