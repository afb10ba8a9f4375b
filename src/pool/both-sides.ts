// The two pools of a facade: made, listened to and ended together, and what is said when one of their clients has failed.
import type { Side } from '../phase/phases.js'
import type { InnerClient } from './pg-internals.js'
import type { CoreView, PoolCoreOptions } from './pool-core-options.js'
import { SidePool, type Listener, type SidePoolHooks } from './side-pool.js'

export type BothSides = Readonly<Record<Side, SidePool>>

export function bothSides(pools: PoolCoreOptions['pools'], hooks: SidePoolHooks): BothSides {
  const make = (side: Side): SidePool => new SidePool(side, pools[side].inner, pools[side].handedIn, hooks)
  return { old: make('old'), new: make('new') }
}

/** Begins or stops to hear these events of both. */
export function listenToBoth(
  pools: BothSides,
  listeners: Readonly<Record<string, Listener>>,
  on: boolean,
): void {
  for (const { emitter } of Object.values(pools))
    for (const [event, listener] of Object.entries(listeners))
      emitter[on ? 'on' : 'removeListener'](event, listener)
}

/** Ends both, those that were handed in only if `everything` says so. */
export async function endBoth(pools: BothSides, everything: boolean): Promise<void> {
  const both = Object.values(pools)
  const isMine = (pool: SidePool): boolean => everything || !pool.handedIn
  for (const pool of both) if (!isMine(pool)) pool.letGo()
  await Promise.all(both.filter(isMine).map((pool) => pool.end()))
}

/**
 * Tells the views that a client which nobody had out has failed.
 * As with pg, an error of an idle client that nobody listens to ends the process. One view with a listener is enough to
 * prevent that: a library seldom sets one on the pool that it was given. The side that is not in use is an event alone.
 */
export function idleFailed(
  gate: { readonly side: Side; readonly views: ReadonlySet<CoreView> },
  { name, events }: Pick<PoolCoreOptions, 'name' | 'events'>,
  failed: { readonly side: Side; readonly error: Error; readonly client: InnerClient },
): void {
  const { side, error, client } = failed
  if (side !== gate.side) return events.publish('sideError', { name, side, error })
  const all = [...gate.views]
  const listening = all.filter((view) => view.listenerCount('error') > 0)
  for (const view of listening.length > 0 ? listening : all.slice(0, 1)) view.emitPoolError(error, client)
}
