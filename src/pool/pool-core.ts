// The gate of one process: two inner pools, the line in front of them, and the route that all views share.
import type { Side } from '../phase/phases.js'
import { bothSides, endBoth, listenToBoth, type BothSides } from './both-sides.js'
import { clientClasses, type ClientClasses } from './cutover-client.js'
import { isDraining, isGated, reportOf, type CoreState } from './core-state.js'
import { gaveUp, phaseUnknown, poolEnded } from './refusals.js'
import { drainPool, holdOver } from './drain.js'
import type { FenceMessage } from './fence-error.js'
import { getReady } from './get-ready.js'
import { Guests } from './guests.js'
import { idleFailed } from './idle-failed.js'
import type { Gate, HoldLease, ReleaseReport } from './gate.js'
import { LeaseTimer } from './lease-timer.js'
import { NestedTurns } from './nested-turns.js'
import type { InnerClient, InnerPool } from './pg-internals.js'
import { Pins } from './pins.js'
import type { CoreView, PoolCoreOptions } from './pool-core-options.js'
import { PoolAdmission, type AdmissionView } from './pool-admission.js'
import type { Route } from './route.js'
import { Routes, type Observer } from './routes.js'
import { WaitingLine, type LineGoal } from './waiting-line.js'

export class PoolCore implements Gate, AdmissionView {
  readonly pools: BothSides
  readonly views = new Set<CoreView>()
  readonly guests = new Guests()
  /** Parts of the application to be stopped before a hold; a rejection is a reason not to hold. */
  readonly stopFirst = new Set<() => Promise<void>>()
  readonly pins = new Pins()
  readonly texts: PoolCoreOptions['texts']
  readonly turns = new NestedTurns()
  readonly rerun: AdmissionView['rerun']
  readonly line: WaitingLine
  readonly #options: PoolCoreOptions
  readonly #routes: Routes
  readonly admission = new PoolAdmission(this)
  readonly clients: ClientClasses
  #state: CoreState = { kind: 'unknown' }
  #generation = 0
  readonly #lease = new LeaseTimer(
    (side) => this.release(side),
    (cause) => this.line.reject(() => gaveUp(cause)),
  )
  #ending: Promise<void> | undefined

  constructor(options: PoolCoreOptions) {
    this.#options = options
    this.clients = clientClasses(this, options)
    this.texts = options.texts
    this.rerun = options.onFence && {
      name: options.name,
      isOnePlainStatement: (text) => this.texts.isOnePlainStatement(text),
    }
    this.pools = bothSides(options.pools, {
      fenced: (where, fence) => this.#fenced(where, fence),
      failed: (where, error, client) => this.#failed(where, error, client),
    })
    this.#routes = new Routes(this.pools, this.admission)
    this.line = new WaitingLine({
      goal: () => this.#goal(),
      emptied: () => this.#settle(),
      handedOut: (client, within) => {
        if (isDraining(this.#state)) this.turns.within(client, within)
      },
    })
    // No time passes for calls that wait for the first phase.
    this.line.clock.stop()
    // The first state is gated too: calls that came before any phase are let through as clients come back.
    this.#listen(true)
  }

  get state(): CoreState {
    return this.#state
  }

  /** The side that new work goes to; OLD as long as no phase is known. */
  get side(): Side {
    return 'side' in this.#state ? this.#state.side : 'old'
  }

  get route(): Route {
    return this.#routes.of(this.#state)
  }

  /** Puts somebody's own routes in front of the direct ones, or takes them away. */
  observe(observer: Observer | undefined): void {
    this.#routes.observe(observer)
    this.#swapRoutes()
  }

  get inner(): InnerPool {
    return this.pools[this.side].inner
  }

  /** Everything of the application that may have work under way on the side in use. */
  leased(): InnerClient[] {
    return [...this.pools[this.side].leased(), ...this.guests.atWork(this.side)]
  }

  get heldMillis(): number {
    return this.#state.kind === 'held' ? performance.now() - this.#state.since : 0
  }

  /** Whether a call of `query` with this text is answered although new work is held. */
  flows(_text: string): boolean {
    return false
  }

  /** No phase is known and none is coming: calls fail until one is. */
  refuse(): void {
    if (this.#state.kind !== 'unknown') return
    this.#enter({ kind: 'refusing' })
    this.line.reject(phaseUnknown)
  }

  async arm(warmUp?: string): Promise<void> {
    const { side } = this
    const { kind } = this.#state
    if (kind === 'direct' || kind === 'releasing') this.#enter({ kind: 'armed', side })
    const generation = this.#generation
    try {
      await getReady(this, this.#options, warmUp)
    } catch (error) {
      if (generation === this.#generation) this.release(side)
      throw error
    }
  }

  hold(lease: HoldLease): void {
    const state = this.#state
    if (state.kind === 'ended') return
    const since = state.kind === 'held' ? state.since : performance.now()
    this.line.clock.stop()
    this.#enter({ kind: 'held', side: this.side, since, shut: false })
    for (const client of this.leased()) this.turns.mark(client)
    this.#lease.start(lease)
  }

  async drain(deadlineMillis: number): Promise<void> {
    const generation = this.#generation
    const state = this.#state
    if (state.kind === 'ended') return
    if (state.kind !== 'held') throw holdOver()
    const pool = this.pools[state.side]
    await drainPool(
      {
        pool,
        queue: this.line.queue,
        turns: this.turns,
        pins: this.pins,
        guests: this.guests,
        admit: (entry) => {
          entry.within = null
          this.line.start(entry, pool)
        },
        isCurrent: () => generation === this.#generation,
      },
      deadlineMillis,
    )
    // From here nothing is admitted to this side any more.
    state.shut = true
    this.turns.unmarkAll()
  }

  stopReads(): Promise<void> {
    // Every read waits from the hold on as long as there is no read pool.
    return Promise.resolve()
  }

  release(side: Side): ReleaseReport {
    const state = this.#state
    const report = reportOf(state, this.line.length, this.line.queue.head)
    if (state.kind === 'ended' || (state.kind === 'direct' && state.side === side)) return report
    this.#lease.stop()
    if (side !== this.side) this.pins.leave(this.side, this.#options)
    this.turns.unmarkAll()
    this.line.clock.start()
    this.pools[side].keep()
    if (state.kind === 'held') this.line.ramp.begin()
    this.#enter({ kind: 'releasing', side, last: this.line.queue.tail })
    this.line.pump()
    return report
  }

  async sweep(side: Side): Promise<void> {
    if (side !== this.side) await Promise.all([this.pools[side].sweep(), this.guests.leave(side)])
  }

  backends(side: Side): readonly number[] {
    return this.pools[side].backends.all()
  }

  /** Ends both inner pools and fails what waits; handed-in pools only if `everything` says so. */
  end(everything: boolean): Promise<void> {
    return (this.#ending ??= this.#end(everything))
  }

  async #end(everything: boolean): Promise<void> {
    this.#lease.stop()
    this.turns.unmarkAll()
    this.#enter({ kind: 'ended' })
    this.line.reject(poolEnded)
    await endBoth(this.pools, everything)
  }

  #enter(state: CoreState): void {
    const gatedBefore = isGated(this.#state)
    this.#generation++
    this.#state = state
    if (isGated(state) !== gatedBefore) this.#listen(!gatedBefore)
    this.#swapRoutes()
    this.guests.routeChanged()
    if (!isGated(state)) this.pins.rest()
    this.#options.events.publish('route', { name: this.#options.name, route: state.kind, side: this.side })
    this.line.watch()
  }

  #swapRoutes(): void {
    const { route } = this
    for (const view of this.views) view.swapRoute(route)
  }

  // Only while gated: at rest nothing listens to every query.
  #listen(on: boolean): void {
    const { pumpSoon } = this.line
    listenToBoth(this.pools, { release: pumpSoon, remove: pumpSoon, acquire: this.#acquired }, on)
  }

  readonly #acquired = (client: InnerClient): void => {
    if (isDraining(this.#state)) this.turns.handedOut(client)
  }

  #goal(): LineGoal | undefined {
    const state = this.#state
    const nestedOnly = isDraining(state)
    if (state.kind !== 'armed' && state.kind !== 'releasing' && !nestedOnly) return undefined
    const overflow = state.kind === 'releasing' && state.last?.queue === undefined
    return { pool: this.pools[this.side], nestedOnly, overflow }
  }

  #settle(): void {
    const state = this.#state
    if (state.kind !== 'releasing') return
    for (const pool of Object.values(this.pools)) pool.restoreMin()
    this.#enter({ kind: 'direct', side: state.side })
  }

  #fenced(side: Side, fence: FenceMessage): void {
    const { name, events, onFence } = this.#options
    if (fence.name !== name) return
    events.publish('fence', { name, side, epoch: fence.epoch })
    const state = this.#state
    if (side !== this.side || (state.kind !== 'direct' && state.kind !== 'armed')) return
    const lease = onFence?.(fence, side)
    if (!lease) return
    this.hold(lease)
    // Nothing new may start on a side that is shut.
    if (this.#state.kind === 'held') this.#state.shut = true
    this.#lease.start(lease, 0)
  }

  #failed(side: Side, error: Error, client: InnerClient): void {
    if (side === this.side) idleFailed(this.views, error, client)
    else this.#options.events.publish('sideError', { name: this.#options.name, side, error })
  }
}
