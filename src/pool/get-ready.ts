// What a process does before a hold, while its callers go on: stops what asked to be stopped, and warms the other side.
import { otherSide, type Side } from '../phase/phases.js'
import type { CoreState } from './gate-state.js'
import type { Pins } from './pins.js'
import type { PoolCoreOptions } from './pool-core-options.js'
import type { SidePool } from './side-pool.js'

// A pin that began at rest cannot be told from other work, and the drain would have to guess what belongs to it.
const UNMARKED_PINS_MILLIS = 2_000

interface ReadyView {
  readonly state: CoreState
  readonly side: Side
  readonly pools: Readonly<Record<Side, SidePool>>
  readonly pins: Pins
  readonly stopFirst: ReadonlySet<() => Promise<void>>
}

export async function getReady(
  view: ReadyView,
  { name, events, texts }: PoolCoreOptions,
  warmUp: string | undefined,
): Promise<void> {
  const { side, pools, pins, stopFirst } = view
  // It stops everything else for a moment when it is loaded: as long before the hold as can be.
  texts.load().catch(() => {})
  const stopped = await Promise.allSettled([...stopFirst].map((stop) => stop()))
  for (const outcome of stopped) if (outcome.status === 'rejected') throw outcome.reason
  const target = pools[otherSide(side)]
  if (target.inner.options.maxUses === 1) {
    const message = 'maxUses is 1, so no connection can be opened before the flip; the pause will be longer'
    events.publish('warning', { name, code: 'NO_WARM_UP', message })
    // As many as the side in use has now, which is about its peak of the last `idleTimeoutMillis`.
  } else await target.warm(pools[side].inner.totalCount, warmUp)
  // While held they wait themselves, and it is the drain that lets them end.
  if (view.state.kind !== 'held') await pins.unmarkedOver(side, UNMARKED_PINS_MILLIS)
}
