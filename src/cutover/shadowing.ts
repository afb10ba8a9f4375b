// Compares sampled reads with the other side's answers while the phase asks for it. What does so is loaded then.
import type { Phase } from '../phase/phases.js'
import { noTotals, type ShadowReport, type ShadowTotals } from '../shadow/report.js'

/** What `cutover.shadow` offers. */
export interface Shadow {
  /** What this process has found since it began to compare, or since {@link reset}. */
  report(): ShadowReport
  /** The counts of {@link report} alone. */
  totals(): ShadowTotals
  /** Begins to count anew, as after a difference was mended. */
  reset(): Promise<void>
}

export class Shadowing implements Shadow {
  readonly #name: string

  constructor(name: string) {
    this.#name = name
  }

  report(): ShadowReport {
    return {
      name: this.#name,
      since: new Date().toISOString(),
      comparing: false,
      ...this.totals(),
      statements: [],
      mismatches: [],
    }
  }

  totals(): ShadowTotals {
    return noTotals()
  }

  reset(): Promise<void> {
    return Promise.resolve()
  }

  /** Rejects with `ERR_MISMATCH` where compared reads differ for real and the move would change the writer to the new side. */
  assertEqual(_from: Phase | undefined, _to: Phase): Promise<void> {
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
