// Takes samples of the real traffic for a source that measures the migration, at no cost to the calls in between.
import type { CutoverEvents } from '../events.js'
import type { Sampler, Source } from '../phase/source.js'
import type { CoreState } from '../pool/gate-state.js'
import type { PoolCore } from '../pool/pool-core.js'
import type { Route } from '../pool/route.js'
import { SampledRoute } from '../pool/sampled-route.js'
import { operationOf } from '../reads/operation.js'

// A timer of Node ends at once beyond this.
const LONGEST_TIMER_MILLIS = 2 ** 31 - 1

interface SamplingOptions {
  readonly name: string
  readonly source: Source
  readonly events: CutoverEvents
}

/**
 * Times one call of `query` after each tick of the sampler's rate, while the gate is at rest: that call finds a route
 * of its own, and every other one the plain route. Checkouts, and what runs on them, are not measured.
 * A sampler that throws is told of in one `warning` event and asked no more. Gives the function that stops it.
 */
export function sampleTraffic(
  core: Pick<PoolCore, 'state' | 'route' | 'views'>,
  sampler: Sampler,
  { name, source, events }: SamplingOptions,
): () => void {
  /** The state in which a sampled route waits for its call. Each state of the gate is an object of its own. */
  let waitingIn: CoreState | undefined
  /** What it stands in front of. Who observes calls may come or go meanwhile, and takes it away. */
  let waitingOver: Route | undefined
  let stopped = false
  const timer = setInterval(tick, Math.min(1_000 / sampler.perSecond, LONGEST_TIMER_MILLIS)).unref()

  function tick(): void {
    const { state } = core
    if (state.kind === 'ended') return stop()
    if (!attempt(() => sampler.active)) return giveWay()
    const plain = core.route
    if (state.kind !== 'direct' || (waitingIn === state && waitingOver === plain)) return
    waitingIn = state
    waitingOver = plain
    const { side } = state
    const route = new SampledRoute(plain, giveWay, ({ given, millis, failed, result }) => {
      const operation = operationOf(given, result)
      if (operation === undefined || stopped) return
      attempt(() => sampler.take({ operation, side, millis, failed }))
    })
    for (const view of core.views) view.swapRoute(route)
  }

  /** A gate that has changed its state has put its own route in already. */
  function giveWay(): void {
    if (waitingIn === core.state) for (const view of core.views) view.swapRoute(core.route)
    waitingIn = undefined
  }

  function attempt<T>(work: () => T): T | undefined {
    try {
      return work()
    } catch (error) {
      stop()
      const reason = error instanceof Error ? error.message : String(error)
      const message = `the sampler of the source "${source.name}" failed, so it is asked no more: ${reason}`
      events.publish('warning', { name, code: 'SAMPLER', message })
      return undefined
    }
  }

  function stop(): void {
    stopped = true
    clearInterval(timer)
    giveWay()
  }

  return stop
}
