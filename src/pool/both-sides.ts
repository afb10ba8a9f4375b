// The two pools of a facade: made, listened to and ended together.
import type { Side } from '../phase/phases.js'
import type { PoolCoreOptions } from './pool-core-options.js'
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
