// The gate of one process: two inner pools, the line in front of them, and the route that all views share.
import type { Side } from '../phase/phases.js'
import { bothSides, endBoth, idleFailed, type BothSides } from './both-sides.js'
import { clientClasses, type ClientClasses } from './cutover-client.js'
import { gaveUp, phaseUnknown, poolEnded, holdOver } from './refusals.js'
import type { FenceMessage } from './fence-error.js'
import { Guests } from './guests.js'
import type { Gate, HoldLease, ReleaseReport } from './gate.js'
import { GateState, goalOf, isDraining, reportOf, type CoreState } from './gate-state.js'
import { HeldReads } from './held-reads.js'
import { LeaseTimer } from './lease-timer.js'
import { NestedTurns } from './nested-turns.js'
import type { InnerClient, InnerPool } from './pg-internals.js'
import { Pins } from './pins.js'
import type { PoolCoreOptions } from './pool-core-options.js'
import { PoolAdmission, type AdmissionView } from './pool-admission.js'
import type { Route } from './route.js'
import { WaitingLine } from './waiting-line.js'

export class PoolCore implements Gate, AdmissionView {
  readonly pools: BothSides
  readonly guests = new Guests()
  /** Parts of the application to be stopped before a hold; a rejection is a reason not to hold. */
  readonly stopFirst = new Set<() => Promise<void>>()
  readonly pins = new Pins()
  readonly texts: PoolCoreOptions['texts']
  readonly turns = new NestedTurns()
  readonly rerun: AdmissionView['rerun']
  readonly line: WaitingLine
  readonly reads: HeldReads
  /** Since the process has begun: calls that waited in a hold, reads that went on in one, and fences that were met. */
  readonly counters = { held: 0, heldReads: 0, fences: 0, longestHeldMillis: 0 }
  readonly #options: PoolCoreOptions
  readonly admission = new PoolAdmission(this)
  readonly clients: ClientClasses
  readonly #gate: GateState
  readonly #lease = new LeaseTimer(
    (side) => this.release(side),
    (cause) => this.#giveUp(cause),
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
      fenced: (side, fence) => this.#fenced(side, fence),
      failed: (side, error, client) => idleFailed(this, options, { side, error, client }),
    })
    this.reads = new HeldReads(this, options)
    this.line = new WaitingLine({
      goal: () => goalOf(this.state, this.pools[this.side]),
      emptied: () => this.#settle(),
      queued: (count) => {
        if (this.state.kind === 'held') this.counters.held += count
      },
      handedOut: (client, within) => {
        if (isDraining(this.state)) this.turns.within(client, within)
      },
    })
    // No time passes for calls that wait for the first phase.
    this.line.clock.stop()
    this.#gate = new GateState(this, this.#acquired, options)
  }

  get state(): CoreState {
    return this.#gate.now
  }

  get side(): Side {
    return this.#gate.side
  }

  get route(): Route {
    return this.#gate.route
  }

  get views(): GateState['views'] {
    return this.#gate.views
  }

  /** What stands in front of the routes of the moment. */
  get inFront(): Pick<GateState, 'observe' | 'await' | 'afterwards' | 'guard'> {
    return this.#gate
  }

  get inner(): InnerPool {
    return this.pools[this.side].inner
  }

  /** Everything of the application that may have work under way on the side in use. */
  leased(): InnerClient[] {
    return [...this.pools[this.side].leased(), ...this.guests.atWork(this.side)]
  }

  get heldMillis(): number {
    return this.state.kind === 'held' ? performance.now() - this.state.since : 0
  }

  /** Calls that wait, for a client or for the end of a hold. */
  get waiting(): number {
    return this.line.length + this.reads.waiting.length
  }

  /** Whether a call of `query` with this text is answered although new work is held. */
  flows(text: string): boolean {
    return this.reads.flows(text)
  }

  /** No phase is known and none is coming: calls fail until one is. */
  refuse(): void {
    if (this.state.kind !== 'unknown') return
    this.#gate.enter({ kind: 'refusing' })
    this.line.reject(phaseUnknown)
  }

  async arm(warmUp?: string, deadline?: number): Promise<void> {
    const { side } = this
    const { kind } = this.state
    if (kind === 'direct' || kind === 'releasing') this.#gate.enter({ kind: 'armed', side })
    const { generation } = this.#gate
    try {
      // Loaded only here, and what drains with it: at the drain everybody waits.
      const [{ getReady }] = await Promise.all([import('./get-ready.js'), import('./drain.js')])
      await getReady(this, this.#options, warmUp)
    } catch (error) {
      if (generation === this.#gate.generation) this.release(side)
      throw error
    }
    // Last of all, so that the catalogs are those of the moment before the hold.
    await this.reads.open(deadline)
  }

  hold(lease: HoldLease): void {
    const { state } = this
    if (state.kind === 'ended') return
    const since = state.kind === 'held' ? state.since : performance.now()
    // Once they were stopped they wait for the release, whoever holds on.
    const reads = lease.reads === 'flow' && (state.kind !== 'held' || state.reads)
    this.line.clock.stop()
    // Before anybody hears of the hold: what is called then is counted as it comes.
    if (state.kind !== 'held') this.counters.held += this.line.length
    this.#gate.enter({ kind: 'held', side: this.side, since, shut: false, reads })
    if (!reads) this.reads.stop()
    else this.reads.moveIn()
    for (const client of this.leased()) this.turns.mark(client)
    this.#lease.start(lease)
  }

  async drain(deadlineMillis: number): Promise<void> {
    const { generation } = this.#gate
    const { state } = this
    if (state.kind === 'ended') return
    if (state.kind !== 'held') throw holdOver()
    const { line, turns, pins, guests } = this
    const isCurrent = (): boolean => generation === this.#gate.generation
    const { drainPool } = await import('./drain.js')
    await drainPool({ pool: this.pools[state.side], line, turns, pins, guests, isCurrent }, deadlineMillis)
    // From here nothing is admitted to this side any more.
    state.shut = true
    this.turns.unmarkAll()
  }

  stopReads(): Promise<void> {
    const { state } = this
    if (state.kind === 'held') state.reads = false
    this.reads.stop()
    return Promise.resolve()
  }

  disarm(): void {
    if (this.state.kind === 'armed') this.release(this.side)
  }

  release(side: Side): ReleaseReport {
    const { state } = this
    // What waited to be read has waited like the rest.
    if (state.kind === 'held') this.reads.stop()
    const report = reportOf(state, this.line.length, this.line.queue.head)
    if (state.kind === 'ended' || (state.kind === 'direct' && state.side === side)) return report
    this.counters.longestHeldMillis = Math.max(this.counters.longestHeldMillis, report.longestHeldMillis)
    this.#lease.stop()
    this.reads.close()
    if (side !== this.side) this.pins.leave(this.side, this.#options)
    this.turns.unmarkAll()
    this.line.clock.start()
    this.pools[side].keep()
    if (state.kind === 'held') this.line.ramp.begin()
    this.#gate.enter({ kind: 'releasing', side, last: this.line.queue.tail })
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
    this.reads.close()
    this.#gate.enter({ kind: 'ended' })
    this.line.reject(poolEnded)
    await Promise.all([endBoth(this.pools, everything), this.reads.closed()])
  }

  readonly #acquired = (client: InnerClient): void => {
    if (isDraining(this.state)) this.turns.handedOut(client)
  }

  #settle(): void {
    if (this.state.kind !== 'releasing') return
    for (const pool of Object.values(this.pools)) pool.restoreMin()
    this.#gate.enter({ kind: 'direct', side: this.side })
  }

  #fenced(side: Side, fence: FenceMessage): void {
    const { name, events, onFence } = this.#options
    if (fence.name !== name) return
    events.publish('fence', { name, side, epoch: fence.epoch })
    this.counters.fences++
    if (side !== this.side || !['direct', 'armed'].includes(this.state.kind)) return
    const lease = onFence?.(fence, side)
    if (!lease) return
    this.hold(lease)
    // Nothing new may start on a side that is shut.
    if (this.state.kind === 'held') this.state.shut = true
    this.#lease.start(lease, 0)
  }

  /** Nobody knows any more whether the side in use still has the last word. */
  #giveUp(cause: unknown): void {
    void this.stopReads()
    this.line.reject(() => gaveUp(cause))
  }
}
