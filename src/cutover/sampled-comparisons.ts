// Tells a source that measures the migration of calls that both sides were asked about.
import type { CutoverEvents } from '../events.js'
import type { Sampler, Source } from '../phase/source.js'
import type { ComparedCall } from '../shadow/comparer.js'

interface Options {
  readonly name: string
  readonly source: Source
  readonly events: CutoverEvents
}

/** At the sampler's own rate, beside the timed calls. One that throws is told of in a `warning` event and asked no more. */
export function sampleComparisons(
  sampler: Sampler | undefined,
  { name, source, events }: Options,
): (call: ComparedCall) => void {
  let next = Number.NEGATIVE_INFINITY
  let failed = false
  return ({ side, millis, otherMillis, consistent }) => {
    const now = performance.now()
    if (sampler === undefined || failed || now < next) return
    try {
      if (!sampler.active) return
      next = now + 1_000 / sampler.perSecond
      sampler.take({ operation: 'read', side, millis, otherMillis, failed: false, consistent })
    } catch (error) {
      failed = true
      const reason = error instanceof Error ? error.message : String(error)
      const message = `the sampler of the source "${source.name}" failed, so it is told of no comparison any more: ${reason}`
      events.publish('warning', { name, code: 'SAMPLER', message })
    }
  }
}
