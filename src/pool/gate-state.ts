// The states of a process's gate, and what has to follow from each change of state in the very same turn.
import type { Side } from '../phase/phases.js'
import type { Afterwards } from './awaiting-route.js'
import { listenToBoth, type BothSides } from './both-sides.js'
import type { ReleaseReport } from './gate.js'
import type { Guests } from './guests.js'
import type { Acquisition } from './hold-queue.js'
import type { Listener, SidePool } from './side-pool.js'
import type { Pins } from './pins.js'
import type { CoreView, PoolCoreOptions } from './pool-core-options.js'
import { Routes, type Admission, type Guard, type Observer, type Route } from './route.js'
import type { LineGoal, WaitingLine } from './waiting-line.js'

/** A union: what cannot be at once cannot be written. */
export type CoreState =
  /** No phase yet: calls wait for it. */
  | { readonly kind: 'unknown' }
  /** No phase is coming: calls fail until one does. */
  | { readonly kind: 'refusing' }
  | { readonly kind: 'direct'; readonly side: Side }
  | { readonly kind: 'armed'; readonly side: Side }
  /**
   * `shut`: nothing is admitted to the side any more, not even from inside a lease. `reads`: what is known to only read
   * goes on there, over connections of its own.
   */
  | { readonly kind: 'held'; readonly side: Side; readonly since: number; shut: boolean; reads: boolean }
  /** `last` was the last of the line when it was let go; what came after it is ordinary waiting. */
  | { readonly kind: 'releasing'; readonly side: Side; readonly last: Acquisition | undefined }
  | { readonly kind: 'ended' }

/** Whether calls pass the facade's own line. */
export const isGated = (state: CoreState): boolean => !['direct', 'ended', 'refusing'].includes(state.kind)

/** Held, and what belongs to work under way may still start. */
export const isDraining = (state: CoreState): boolean => state.kind === 'held' && !state.shut

/** What a hold has cost up to now; nothing in any other state. */
export function reportOf(state: CoreState, held: number, oldest: Acquisition | undefined): ReleaseReport {
  if (state.kind !== 'held') return { held: 0, longestHeldMillis: 0, pauseMillis: 0 }
  const now = performance.now()
  const longestHeldMillis = oldest ? now - Math.max(oldest.queuedAt, state.since) : 0
  return { held, longestHeldMillis, pauseMillis: now - state.since }
}

/** What the line in front of this pool may do. */
export function goalOf(state: CoreState, pool: SidePool): LineGoal | undefined {
  const nestedOnly = isDraining(state)
  if (state.kind !== 'armed' && state.kind !== 'releasing' && !nestedOnly) return undefined
  const overflow = state.kind === 'releasing' && state.last?.queue === undefined
  return { pool, nestedOnly, overflow }
}

interface GateParts {
  readonly pools: BothSides
  readonly admission: Admission
  readonly line: WaitingLine
  readonly guests: Guests
  readonly pins: Pins
}

export class GateState {
  readonly views = new Set<CoreView>()
  readonly #parts: GateParts
  readonly #options: Pick<PoolCoreOptions, 'name' | 'events'>
  readonly #routes: Routes
  readonly #acquired: Listener
  #now: CoreState = { kind: 'unknown' }
  #generation = 0

  /** `acquired` is told of each client of a side that is handed out while gated. */
  constructor(parts: GateParts, acquired: Listener, options: Pick<PoolCoreOptions, 'name' | 'events'>) {
    this.#parts = parts
    this.#acquired = acquired
    this.#options = options
    this.#routes = new Routes(parts.pools, parts.admission)
    // The first state is gated too: calls that came before any phase are let through as clients come back.
    this.#listen(true)
  }

  get now(): CoreState {
    return this.#now
  }

  /** One more with each change, so that what was begun before one can tell. */
  get generation(): number {
    return this.#generation
  }

  /** The side that new work goes to; OLD as long as no phase is known. */
  get side(): Side {
    return 'side' in this.#now ? this.#now.side : 'old'
  }

  get route(): Route {
    return this.#routes.of(this.#now)
  }

  /** Puts somebody's own routes in front of the direct ones, or takes them away. */
  observe(observer: Observer | undefined): void {
    this.#routes.observe(observer)
    this.#swapRoutes()
  }

  get afterwards(): Afterwards | undefined {
    return this.#routes.afterwards
  }

  /** Has callers wait for what comes after the answers to their calls, or no longer. */
  await(afterwards: Afterwards | undefined): void {
    if (afterwards === this.afterwards) return
    this.#routes.await(afterwards)
    this.#swapRoutes()
    this.#parts.guests.routeChanged()
  }

  /** Has a guard decide about each call, before everything else. */
  guard(guard: Guard): void {
    this.#routes.guard(guard)
    this.#swapRoutes()
  }

  enter(state: CoreState): void {
    const { guests, pins, line } = this.#parts
    const gatedBefore = isGated(this.#now)
    this.#generation++
    this.#now = state
    if (isGated(state) !== gatedBefore) this.#listen(!gatedBefore)
    this.#swapRoutes()
    guests.routeChanged()
    if (!isGated(state)) pins.rest()
    const { name, events } = this.#options
    events.publish('route', { name, route: state.kind, side: this.side })
    line.watch()
  }

  #swapRoutes(): void {
    const { route } = this
    for (const view of this.views) view.swapRoute(route)
  }

  // Only while gated: at rest nothing listens to every query.
  #listen(on: boolean): void {
    const { pools, line } = this.#parts
    const { pumpSoon } = line
    listenToBoth(pools, { release: pumpSoon, remove: pumpSoon, acquire: this.#acquired }, on)
  }
}
