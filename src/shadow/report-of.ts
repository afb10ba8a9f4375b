// Makes of what was counted, here or in all processes together, the report that people read.
import { bucketsFromText, percentile } from './latency.js'
import type { Mismatch, Percentiles, ShadowReport, StatementReport } from './report.js'
import type { KeptReport, KeptStatement } from './store.js'

export function reportOf(name: string, comparing: boolean, kept: KeptReport): ShadowReport {
  const { since, compared, outcomes, skipped } = kept
  return {
    name,
    since,
    comparing,
    compared,
    outcomes,
    skipped,
    statements: kept.statements.map(statementOf).toSorted(worstFirst),
    mismatches: kept.mismatches.toSorted(realFirst),
  }
}

function statementOf({ old, new: opened, ...statement }: KeptStatement): StatementReport {
  return { ...statement, old: percentilesOf(old), new: percentilesOf(opened) }
}

function percentilesOf(text: string): Percentiles {
  const buckets = bucketsFromText(text)
  return {
    p50: percentile(buckets, 0.5),
    p95: percentile(buckets, 0.95),
    p99: percentile(buckets, 0.99),
  }
}

const worstFirst = (a: StatementReport, b: StatementReport): number =>
  b.outcomes.real - a.outcomes.real ||
  differing(b) - differing(a) ||
  slowness(b) - slowness(a) ||
  b.compared - a.compared

const differing = ({ outcomes }: StatementReport): number =>
  outcomes.order + outcomes.lag + outcomes.unsettled

const slowness = ({ planChange }: StatementReport): number =>
  planChange === undefined ? 0 : (planChange.slowdown ?? 0)

const realFirst = (a: Mismatch, b: Mismatch): number =>
  Number(b.outcome === 'real') - Number(a.outcome === 'real') || b.at.localeCompare(a.at)
