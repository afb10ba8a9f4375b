// What this process has found by comparing reads, statement by statement, within bounds.
import type { PlanPair } from './plan-shape.js'
import { addMillis, bucketsToText, mergeBuckets, noBuckets, percentile, type Buckets } from './latency.js'
import { noTotals, type Mismatch, type Outcome, type ShadowTotals, type Skip } from './report.js'
import type { Counting, KeptReport, KeptStatement } from './store.js'

const STATEMENTS = 500
const MISMATCHES = 100
/** Stands for all statements that had to make room for others. */
const OTHER = 'other'

type Counts<K extends string> = Record<K, number>

interface Entry {
  readonly fingerprint: string
  readonly text: string | undefined
  compared: number
  readonly outcomes: Counts<Outcome>
  readonly old: Buckets
  readonly new: Buckets
  plans: PlanPair | undefined
  /** As it was last written down; a process that keeps its counts for others writes down all of them every few seconds. */
  kept: KeptStatement | undefined
}

/** One comparison that came to an end. */
export interface Finding {
  readonly fingerprint: string
  /** Without users' values; undefined where they cannot be taken out of it. */
  readonly text: string | undefined
  readonly outcome: Outcome
  /** What each side took for the first answer; undefined where it gave none. */
  readonly millis: { readonly old: number | undefined; readonly new: number | undefined }
  /** Of what is not equal. */
  readonly mismatch: Omit<Mismatch, 'fingerprint' | 'outcome' | 'at'> | undefined
}

export class Book implements Counting {
  changes = 0
  #since = new Date()
  #totals = emptyTotals()
  /** The least recently seen one first. */
  readonly #entries = new Map<string, Entry>()
  readonly #mismatches = new Map<string, Mismatch>()

  add(finding: Finding): void {
    const { fingerprint, outcome, millis, mismatch } = finding
    this.changes++
    this.#totals.compared++
    this.#totals.outcomes[outcome]++
    const entry = this.#entry(finding)
    entry.kept = undefined
    entry.compared++
    entry.outcomes[outcome]++
    if (millis.old !== undefined) addMillis(entry.old, millis.old)
    if (millis.new !== undefined) addMillis(entry.new, millis.new)
    if (mismatch && outcome !== 'equal')
      this.#note({ fingerprint, outcome, at: new Date().toISOString(), ...mismatch })
  }

  skip(why: Skip): void {
    this.changes++
    this.#totals.skipped[why]++
  }

  /** Undefined again where the plans have the same shape. */
  planned(fingerprint: string, plans: PlanPair | undefined): void {
    const entry = this.#entries.get(fingerprint)
    if (entry === undefined || (entry.plans === undefined && plans === undefined)) return
    this.changes++
    entry.kept = undefined
    entry.plans = plans
  }

  totals(): ShadowTotals {
    const { compared, outcomes, skipped } = this.#totals
    return { compared, outcomes: { ...outcomes }, skipped: { ...skipped } }
  }

  kept(): KeptReport {
    return {
      since: this.#since.toISOString(),
      ...this.totals(),
      statements: Array.from(this.#entries.values(), (entry) => (entry.kept ??= keptStatement(entry))),
      mismatches: [...this.#mismatches.values()],
    }
  }

  forget(): void {
    this.changes++
    this.#since = new Date()
    this.#totals = emptyTotals()
    this.#entries.clear()
    this.#mismatches.clear()
  }

  #entry({ fingerprint, text }: Finding): Entry {
    const entry = this.#entries.get(fingerprint) ?? emptyEntry(fingerprint, text)
    this.#entries.delete(fingerprint)
    this.#entries.set(fingerprint, entry)
    if (this.#entries.size > STATEMENTS) this.#makeRoom()
    return entry
  }

  #makeRoom(): void {
    for (const [fingerprint, leaving] of this.#entries) {
      if (fingerprint === OTHER) continue
      this.#entries.delete(fingerprint)
      const other = this.#entries.get(OTHER) ?? emptyEntry(OTHER, undefined)
      this.#entries.set(OTHER, other)
      other.kept = undefined
      other.compared += leaving.compared
      for (const outcome of Object.keys(leaving.outcomes) as Outcome[])
        other.outcomes[outcome] += leaving.outcomes[outcome]
      mergeBuckets(other.old, leaving.old)
      mergeBuckets(other.new, leaving.new)
      if (this.#entries.size <= STATEMENTS) return
    }
  }

  /** The latest of each statement and outcome; what is `real` stays longest. */
  #note(mismatch: Mismatch): void {
    const key = `${mismatch.outcome} ${mismatch.fingerprint}`
    this.#mismatches.delete(key)
    this.#mismatches.set(key, mismatch)
    if (this.#mismatches.size <= MISMATCHES) return
    const [oldest] = this.#mismatches.keys()
    const leaves = [...this.#mismatches].find(([, { outcome }]) => outcome !== 'real')?.[0] ?? oldest
    if (leaves !== undefined) this.#mismatches.delete(leaves)
  }
}

function keptStatement({ fingerprint, text, compared, outcomes, plans, ...of }: Entry): KeptStatement {
  const medians = { old: percentile(of.old, 0.5), new: percentile(of.new, 0.5) }
  const slowdown =
    medians.old === undefined || medians.new === undefined ? undefined : medians.new / medians.old
  return {
    fingerprint,
    text,
    compared,
    outcomes: { ...outcomes },
    old: bucketsToText(of.old),
    new: bucketsToText(of.new),
    planChange: plans && { ...plans, slowdown },
  }
}

const emptyEntry = (fingerprint: string, text: string | undefined): Entry => ({
  fingerprint,
  text,
  compared: 0,
  outcomes: { ...noTotals().outcomes },
  old: noBuckets(),
  new: noBuckets(),
  plans: undefined,
  kept: undefined,
})

interface CountedTotals {
  compared: number
  readonly outcomes: Counts<Outcome>
  readonly skipped: Counts<Skip>
}

function emptyTotals(): CountedTotals {
  const { compared, outcomes, skipped } = noTotals()
  return { compared, outcomes: { ...outcomes }, skipped: { ...skipped } }
}
