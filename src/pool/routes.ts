// Which route the views of a gate have in each of its states.
import type { Side } from '../phase/phases.js'
import { AwaitingRoute, type Afterwards } from './awaiting-route.js'
import type { BothSides } from './both-sides.js'
import type { CoreState } from './core-state.js'
import { phaseUnknown, poolEnded } from './refusals.js'
import { ClosedRoute, DirectRoute, GatedRoute, type Admission, type Route } from './route.js'

/** Gives the route that is to stand in front of a side's direct one. */
export type Observer = (direct: Route, side: Side) => Route

export class Routes {
  readonly #direct: Readonly<Record<Side, Route>>
  readonly #gated: Route
  #observed: Readonly<Record<Side, Route>>
  #afterwards: Afterwards | undefined
  /** In front of each of the others, as long as callers wait for more than their answers. */
  readonly #awaiting = new Map<Route, Route>()

  constructor(pools: BothSides, admission: Admission) {
    this.#direct = { old: new DirectRoute(pools.old.inner), new: new DirectRoute(pools.new.inner) }
    this.#observed = this.#direct
    this.#gated = new GatedRoute(admission)
  }

  /** Puts somebody's own routes in front of the direct ones, or takes them away. */
  observe(observer: Observer | undefined): void {
    const { old, new: opened } = this.#direct
    this.#observed = observer ? { old: observer(old, 'old'), new: observer(opened, 'new') } : this.#direct
    this.#awaiting.clear()
  }

  get afterwards(): Afterwards | undefined {
    return this.#afterwards
  }

  /** Has callers wait for what comes afterwards, or no longer. */
  await(afterwards: Afterwards | undefined): void {
    this.#afterwards = afterwards
    this.#awaiting.clear()
  }

  of(state: CoreState): Route {
    if (state.kind === 'ended') return new ClosedRoute(poolEnded)
    if (state.kind === 'refusing') return new ClosedRoute(phaseUnknown)
    return this.#awaited(state.kind === 'direct' ? this.#observed[state.side] : this.#gated)
  }

  #awaited(route: Route): Route {
    if (this.#afterwards === undefined) return route
    const known = this.#awaiting.get(route)
    if (known) return known
    const awaiting = new AwaitingRoute(route, this.#afterwards)
    this.#awaiting.set(route, awaiting)
    return awaiting
  }
}
