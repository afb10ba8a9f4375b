// The gate of one process: two inner pools, the line in front of them, and the route that all views share.
import { otherSide, type Side } from '../phase/phases.js'
import { gaveUp, isGated, phaseUnknown, poolEnded, reportOf, type CoreState } from './core-state.js'
import { drainPool, holdOver } from './drain.js'
import type { FenceMessage } from './fence-error.js'
import type { Gate, HoldLease, ReleaseReport } from './gate.js'
import { LeaseTimer } from './lease-timer.js'
import { NestedTurns } from './nested-turns.js'
import type { InnerClient, InnerPool } from './pg-internals.js'
import type { CoreView, PoolCoreOptions } from './pool-core-options.js'
import { PoolAdmission, type AdmissionView } from './pool-admission.js'
import { ClosedRoute, DirectRoute, GatedRoute, type Route } from './route.js'
import { SidePool } from './side-pool.js'
import { WaitingLine, type LineGoal } from './waiting-line.js'

export class PoolCore implements Gate, AdmissionView {
  readonly pools: Readonly<Record<Side, SidePool>>
  readonly views = new Set<CoreView>()
  readonly turns = new NestedTurns()
  readonly rerun: AdmissionView['rerun']
  readonly line: WaitingLine
  readonly #options: PoolCoreOptions
  readonly #direct: Readonly<Record<Side, Route>>
  readonly #gated = new GatedRoute(new PoolAdmission(this))
  #state: CoreState = { kind: 'unknown' }
  #generation = 0
  readonly #lease = new LeaseTimer(
    (side) => this.release(side),
    (cause) => this.line.reject(() => gaveUp(cause)),
  )
  #ending: Promise<void> | undefined

  constructor(options: PoolCoreOptions) {
    this.#options = options
    this.rerun = options.onFence && { name: options.name, isOnePlainStatement: options.isOnePlainStatement }
    const make = (side: Side): SidePool =>
      new SidePool(side, options.pools[side].inner, options.pools[side].handedIn, {
        fenced: (where, fence) => this.#fenced(where, fence),
        failed: (where, error, client) => this.#failed(where, error, client),
      })
    this.pools = { old: make('old'), new: make('new') }
    this.#direct = { old: new DirectRoute(this.pools.old.inner), new: new DirectRoute(this.pools.new.inner) }
    this.line = new WaitingLine({
      goal: () => this.#goal(),
      emptied: () => this.#settle(),
      handedOut: (client, within) => {
        if (this.#isDraining) this.turns.within(client, within)
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
    const state = this.#state
    if (state.kind === 'direct') return this.#direct[state.side]
    if (state.kind === 'ended') return new ClosedRoute(poolEnded)
    if (state.kind === 'refusing') return new ClosedRoute(phaseUnknown)
    return this.#gated
  }

  get inner(): InnerPool {
    return this.pools[this.side].inner
  }

  get heldMillis(): number {
    return this.#state.kind === 'held' ? performance.now() - this.#state.since : 0
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
      await this.#warm(warmUp)
    } catch (error) {
      if (generation === this.#generation) this.release(side)
      throw error
    }
  }

  /** As many connections as the side in use has now, which is about its peak of the last `idleTimeoutMillis`. */
  async #warm(text: string | undefined): Promise<void> {
    const target = this.pools[otherSide(this.side)]
    if (target.inner.options.maxUses === 1) {
      const message = 'maxUses is 1, so no connection can be opened before the flip; the pause will be longer'
      this.#options.events.publish('warning', { name: this.#options.name, code: 'NO_WARM_UP', message })
    } else await target.warm(this.inner.totalCount, text)
  }

  hold(lease: HoldLease): void {
    const state = this.#state
    if (state.kind === 'ended') return
    const since = state.kind === 'held' ? state.since : performance.now()
    this.line.clock.stop()
    this.#enter({ kind: 'held', side: this.side, since, shut: false })
    for (const client of this.pools[this.side].leased()) this.turns.mark(client)
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
    this.turns.unmarkAll()
    this.line.clock.start()
    this.pools[side].keep()
    if (state.kind === 'held') this.line.ramp.begin()
    this.#enter({ kind: 'releasing', side, last: this.line.queue.tail })
    this.line.pump()
    return report
  }

  async sweep(side: Side): Promise<void> {
    if (side !== this.side) await this.pools[side].sweep()
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
    const pools = Object.values(this.pools)
    const isMine = (pool: SidePool): boolean => everything || !pool.handedIn
    for (const pool of pools) if (!isMine(pool)) pool.letGo()
    await Promise.all(pools.filter(isMine).map((pool) => pool.end()))
  }

  #enter(state: CoreState): void {
    const gatedBefore = isGated(this.#state)
    this.#generation++
    this.#state = state
    if (isGated(state) !== gatedBefore) this.#listen(!gatedBefore)
    const { route } = this
    for (const view of this.views) view.swapRoute(route)
    this.#options.events.publish('route', { name: this.#options.name, route: state.kind, side: this.side })
    this.line.watch()
  }

  // Only while gated: at rest nothing listens to every query.
  #listen(on: boolean): void {
    const listeners = { release: this.line.pumpSoon, remove: this.line.pumpSoon, acquire: this.#acquired }
    for (const { emitter } of Object.values(this.pools))
      for (const [event, listener] of Object.entries(listeners))
        emitter[on ? 'on' : 'removeListener'](event, listener)
  }

  readonly #acquired = (client: InnerClient): void => {
    if (this.#isDraining) this.turns.handedOut(client)
  }

  get #isDraining(): boolean {
    return this.#state.kind === 'held' && !this.#state.shut
  }

  #goal(): LineGoal | undefined {
    const state = this.#state
    if (state.kind !== 'armed' && state.kind !== 'releasing' && !this.#isDraining) return undefined
    const pool = this.pools[this.side]
    const overflow = state.kind === 'releasing' && state.last?.queue === undefined
    return { pool, nestedOnly: this.#isDraining, overflow }
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
    if (side === this.side) for (const view of this.views) view.emitPoolError(error, client)
    else this.#options.events.publish('sideError', { name: this.#options.name, side, error })
  }
}
