// Adds up what several processes have counted.
import { bucketsFromText, bucketsToText, mergeBuckets, percentile, type Buckets } from './latency.js'
import { noTotals, type Mismatch, type Outcome, type PlanChange } from './report.js'
import type { KeptReport, KeptStatement } from './store.js'

interface Sum {
  readonly fingerprint: string
  text: string | undefined
  compared: number
  readonly outcomes: Record<Outcome, number>
  readonly old: Buckets
  readonly new: Buckets
  planChange: PlanChange | undefined
}

/** To which one report after the other is added, so that they are never all in memory. */
export class ReportSum {
  /** How many reports were added. */
  processes = 0
  #since: string | undefined
  #compared = 0
  readonly #outcomes = { ...noTotals().outcomes }
  readonly #skipped = { ...noTotals().skipped }
  readonly #statements = new Map<string, Sum>()
  readonly #mismatches = new Map<string, Mismatch>()

  add(report: KeptReport): void {
    this.processes++
    if (this.#since === undefined || report.since < this.#since) this.#since = report.since
    this.#compared += report.compared
    addCounts(this.#outcomes, report.outcomes)
    addCounts(this.#skipped, report.skipped)
    for (const statement of report.statements) this.#addStatement(statement)
    for (const mismatch of report.mismatches) {
      const key = `${mismatch.outcome} ${mismatch.fingerprint}`
      const known = this.#mismatches.get(key)
      if (known === undefined || known.at < mismatch.at) this.#mismatches.set(key, mismatch)
    }
  }

  /** `since` is the beginning of the process that has counted for longest. */
  kept(): KeptReport {
    return {
      since: this.#since ?? new Date().toISOString(),
      compared: this.#compared,
      outcomes: this.#outcomes,
      skipped: this.#skipped,
      statements: Array.from(this.#statements.values(), keptStatement),
      mismatches: [...this.#mismatches.values()],
    }
  }

  #addStatement(statement: KeptStatement): void {
    const { fingerprint, text, compared, outcomes, planChange } = statement
    const old = bucketsFromText(statement.old)
    const opened = bucketsFromText(statement.new)
    const sum = this.#statements.get(fingerprint)
    if (sum === undefined) {
      const counts = { ...noTotals().outcomes }
      addCounts(counts, outcomes)
      this.#statements.set(fingerprint, {
        fingerprint,
        text,
        compared,
        outcomes: counts,
        old,
        new: opened,
        planChange,
      })
      return
    }
    sum.text ??= text
    sum.compared += compared
    addCounts(sum.outcomes, outcomes)
    mergeBuckets(sum.old, old)
    mergeBuckets(sum.new, opened)
    sum.planChange ??= planChange
  }
}

/** What another version counts besides, or does not count, is left out. */
function addCounts<K extends string>(into: Record<K, number>, more: Readonly<Record<K, number>>): void {
  for (const key of Object.keys(into) as K[]) into[key] += more[key] ?? 0
}

function keptStatement({ planChange, ...sum }: Sum): KeptStatement {
  const medians = { old: percentile(sum.old, 0.5), new: percentile(sum.new, 0.5) }
  const slowdown =
    medians.old === undefined || medians.new === undefined ? undefined : medians.new / medians.old
  return {
    ...sum,
    old: bucketsToText(sum.old),
    new: bucketsToText(sum.new),
    // Of the medians of all processes, and not of the one that has seen the plans.
    planChange: planChange && { ...planChange, slowdown },
  }
}
