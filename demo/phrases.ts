// How the story words what was measured.
import { between, percentiles } from './latency.js'
import type { Reached, Run } from './run.js'

export function now(run: Run): string {
  const at = performance.now()
  const { p50, count: writes } = percentiles(between(run.ledger.entries, at - 1000, at))
  return `${writes} writes/s, median ${p50.toFixed(1)} ms, ${run.ledger.failures.length} failed`
}

export function lately(run: Run, since: number): string {
  const at = performance.now()
  const seconds = (at - since) / 1000
  const writes = percentiles(between(run.ledger.entries, since, at))
  const reads = percentiles(between(run.ledger.reads, since, at))
  return (
    `${Math.round(writes.count / seconds)} writes/s and ${Math.round(reads.count / seconds)} reads/s; ` +
    `writes take ${writes.p50.toFixed(1)} ms (99 %: ${writes.p99.toFixed(1)})`
  )
}

export const share = (done: number, total: number): string =>
  total > 0 ? `${Math.floor((100 * done) / total)} %` : ''

export const count = (value: number): string => value.toLocaleString('en')

export const told = ({ request, phase, millis }: Reached): string =>
  `${request}: phase ${phase} after ${millis.toFixed(1)} ms`
