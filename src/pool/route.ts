// The routes: what `query` and `connect` of the facade do in each state of its gate. A route is swapped whole, never asked.
import type { Side } from '../phase/phases.js'
import { AwaitingRoute, type Afterwards } from './awaiting-route.js'
import type { BothSides } from './both-sides.js'
import type { CoreState } from './gate-state.js'
import { pg, type AcquireCallback, type InnerPool } from './pg-internals.js'
import { phaseUnknown, poolEnded } from './refusals.js'

/** One strategy for the facade's two verbs; arguments and results are pg-pool's. */
export interface Route {
  query(text: unknown, values: unknown, callback: unknown): unknown
  connect(callback: unknown): unknown
}

type Loose = (this: unknown, ...args: readonly unknown[]) => unknown
const poolPrototype = pg.Pool.prototype as unknown as { readonly query: Loose }

/** At rest: the inner pool's own calls and results, with nothing in between. */
export class DirectRoute implements Route {
  readonly #inner: InnerPool

  constructor(inner: InnerPool) {
    this.#inner = inner
  }

  query(text: unknown, values: unknown, callback: unknown): unknown {
    return this.#inner.query(text, values, callback)
  }

  connect(callback: unknown): unknown {
    // pg-pool takes a callback of `undefined` for the promise form.
    return this.#inner.connect(callback as AcquireCallback)
  }
}

/** What pg-pool's own `query` asks of the pool that it runs in. */
export interface QueryPool {
  connect(callback: AcquireCallback): void
  readonly log: InnerPool['log']
  readonly Promise: PromiseConstructor
}

/** How a gated route gets at clients. */
export interface Admission {
  acquire(callback: AcquireCallback, kind: 'query' | 'connect'): unknown
  readonly inner: InnerPool
  /** The pool for a statement that does not go the usual way: one that may run once more, or a request to cancel. */
  unusual(text: unknown, values: unknown): QueryPool | undefined
}

/**
 * Armed, held and releasing: acquisitions pass the facade's own queue. `query` is pg-pool's own, run on a stand-in, so
 * that all its forms, errors and stacks stay pg's and the queue knows one kind of entry only.
 */
class GatedRoute implements Route {
  readonly #admission: Admission
  // One for all calls, since thousands may be held.
  readonly #once: QueryPool

  constructor(admission: Admission) {
    this.#admission = admission
    this.#once = {
      connect: (callback) => void admission.acquire(callback, 'query'),
      get log() {
        return admission.inner.log
      },
      get Promise() {
        return admission.inner.Promise
      },
    }
  }

  query(text: unknown, values: unknown, callback: unknown): unknown {
    const pool = this.#admission.unusual(text, values) ?? this.#once
    return poolPrototype.query.call(pool, text, values, callback)
  }

  connect(callback: unknown): unknown {
    if (typeof callback === 'function') {
      this.#admission.acquire(callback as AcquireCallback, 'connect')
      return undefined
    }
    const { Promise } = this.#admission.inner
    return new Promise((resolve, reject) => {
      this.#admission.acquire((error, client) => (error ? reject(error) : resolve(client)), 'connect')
    }).catch((error: Error) => {
      // The stack leads to a socket; make it lead to whoever asked, as pg-pool does.
      Error.captureStackTrace(error)
      throw error
    })
  }
}

/** After `end()`, and where no phase is known: every call fails with the same error, in its own form. */
export class ClosedRoute implements Route {
  readonly #reason: () => Error

  constructor(reason: () => Error) {
    this.#reason = reason
  }

  query(text: unknown, values: unknown, callback: unknown): unknown {
    const given = [callback, values, text].find((one) => typeof one === 'function')
    return this.connect(given)
  }

  connect(callback: unknown): unknown {
    const error = this.#reason()
    if (typeof callback !== 'function') return Promise.reject(error)
    Reflect.apply(callback, undefined, [error, undefined, () => {}])
    return undefined
  }
}

/** Gives the route that is to stand in front of a side's direct one. */
export type Observer = (direct: Route, side: Side) => Route

/** Decides about each call whether it may go on, or has to wait like everything that is gated. */
export interface Guard {
  /** Also in front of the direct routes. The others it always stands in front of. */
  readonly atRest: boolean
  route(plain: Route, gated: Route): Route
}

/** Which route the views of a gate have in each of its states. */
export class Routes {
  readonly #direct: Readonly<Record<Side, Route>>
  readonly #gated: Route
  #observed: Readonly<Record<Side, Route>>
  #afterwards: Afterwards | undefined
  /** In front of each of the others, as long as callers wait for more than their answers. */
  readonly #awaiting = new Map<Route, Route>()
  #guard: Guard | undefined
  readonly #guarded = new Map<Route, Route>()

  constructor(pools: BothSides, admission: Admission) {
    this.#direct = { old: new DirectRoute(pools.old.inner), new: new DirectRoute(pools.new.inner) }
    this.#observed = this.#direct
    this.#gated = new GatedRoute(admission)
  }

  /** Puts somebody's own routes in front of the direct ones, or takes them away. */
  observe(observer: Observer | undefined): void {
    const { old, new: opened } = this.#direct
    this.#observed = observer ? { old: observer(old, 'old'), new: observer(opened, 'new') } : this.#direct
    this.#forget()
  }

  get afterwards(): Afterwards | undefined {
    return this.#afterwards
  }

  /** Has callers wait for what comes afterwards, or no longer. */
  await(afterwards: Afterwards | undefined): void {
    this.#afterwards = afterwards
    this.#forget()
  }

  /** Has a guard stand in front of everything else. */
  guard(guard: Guard): void {
    this.#guard = guard
    this.#forget()
  }

  of(state: CoreState): Route {
    if (state.kind === 'ended') return new ClosedRoute(poolEnded)
    if (state.kind === 'refusing') return new ClosedRoute(phaseUnknown)
    const route = this.#awaited(state.kind === 'direct' ? this.#observed[state.side] : this.#gated)
    const isGuarded = state.kind === 'direct' ? this.#guard?.atRest === true : state.kind !== 'unknown'
    return isGuarded ? this.#behindGuard(route) : route
  }

  #behindGuard(route: Route): Route {
    if (this.#guard === undefined) return route
    const guarded = this.#guarded.get(route) ?? this.#guard.route(route, this.#awaited(this.#gated))
    this.#guarded.set(route, guarded)
    return guarded
  }

  #forget(): void {
    this.#awaiting.clear()
    this.#guarded.clear()
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
