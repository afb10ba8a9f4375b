// The way of one client's statements while they may not simply go out: they wait, go to the other side first, or pass.
import { CutoverError } from '../errors.js'
import type { Side } from '../phase/phases.js'
import { backendToCancel, queryAside, sideOfBackend } from './cancel.js'
import type { GivenConfig } from './client-config.js'
import { ClientSession, type ClientHome, type Done } from './client-session.js'
import { isDraining } from './gate-state.js'
import type { Guest } from './guests.js'
import { failStatement, holdStatement, type HeldStatement } from './held-statement.js'
import type { LaneFace, Queryable } from './lane-face.js'
import { LaneReads, NextReady, PlaceInLine } from './lane-waits.js'
import { isBusy, isInTransaction, type SessionClient } from './pg-internals.js'
import type { PoolCore } from './pool-core.js'

export class ClientLane implements Guest, Queryable {
  readonly session: ClientSession
  readonly #core: PoolCore
  readonly #face: LaneFace
  readonly #promise: PromiseConstructor
  #stage: 'new' | 'connecting' | 'open' | 'over' = 'new'
  readonly #waiting: HeldStatement[] = []
  readonly #place: PlaceInLine
  readonly #read: LaneReads
  /** The line has let what waits through, for as long as the hold is the same. */
  #admitted = false
  #moved: Promise<void> = Promise.resolve()
  readonly #ready = new NextReady(() => this.#goOn())

  constructor(home: ClientHome, given: GivenConfig, face: LaneFace, types: unknown) {
    this.#core = home.core
    this.#place = new PlaceInLine(home.core)
    this.#read = new LaneReads(home.core, () => this.#advance())
    this.#face = face
    this.#promise = given.Promise ?? Promise
    this.session = new ClientSession(home, given, face, types, () =>
      this.#over(new Error('Connection terminated')),
    )
  }

  get client(): SessionClient {
    return this.session.inner
  }

  get side(): Side {
    return this.session.side
  }

  get atWork(): boolean {
    if (this.#stage === 'connecting') return this.client._queryQueue.length > 0
    // Nothing waits for a read beside the hold.
    return this.#stage === 'open' && !this.#read.underWay && this.#isBusy
  }

  get #isBusy(): boolean {
    return isBusy(this.client) || isInTransaction(this.client)
  }

  /** Even while held: an idle connection does no harm to the side being left, and moves like any other. */
  connect(done: Done): void {
    if (this.#stage !== 'new') {
      process.nextTick(done, new Error('Client has already been connected. You cannot reuse a client.'))
      return
    }
    this.#stage = 'connecting'
    const { kind } = this.#core.state
    if (kind !== 'unknown' && kind !== 'refusing' && kind !== 'ended') return this.#connect(done)
    this.#place.take(this.client, (error) => {
      if (!error) return this.#connect(done)
      this.#over(error)
      done(error)
    })
  }

  query(config: unknown, values?: unknown, callback?: unknown): unknown {
    // It may be what the drain is waiting for.
    const processId = this.#stage === 'open' ? backendToCancel(config, values) : undefined
    if (processId !== undefined) return this.cancel(processId, config, values, callback)
    if (config === null || config === undefined || this.#stage === 'over' || this.#passes())
      return this.client.query(config, values, callback)
    const held = holdStatement(config, values, callback, this.#promise)
    this.#waiting.push(held)
    if (this.#place.isTaken && this.#core.admission.outer(this.client) !== undefined) this.#place.leave()
    this.#advance()
    return held.result
  }

  /** Runs a request to cancel on the server that has this backend, whatever else waits. */
  cancel(processId: number, config: unknown, values: unknown, callback: unknown): unknown {
    const side = sideOfBackend(this.#core, processId)
    const isThere = this.#stage === 'open' && this.side === side && !this.session.moving
    if (isThere || this.#stage === 'over') return this.client.query(config, values, callback)
    return queryAside(this.#core.pools[side], config, values, callback)
  }

  /** Takes a statement back that has not been sent. */
  withdraw(statement: unknown): boolean {
    const at = this.#waiting.findIndex((held) => held.statement === statement)
    if (at >= 0) this.#waiting.splice(at, 1)
    return at >= 0
  }

  end(callback: (() => void) | undefined): unknown {
    const ended = this.client.end(callback)
    this.#over(new Error('Connection terminated'))
    return ended
  }

  routeChanged(): void {
    if (this.#core.state.kind === 'held') this.#admitted = false
    this.#setFace()
    this.#advance()
  }

  async leave(side: Side): Promise<void> {
    if (this.side !== side || this.#stage !== 'open') return
    this.#goHome()
    await this.#moved
  }

  #connect(done: Done): void {
    if (this.#stage !== 'connecting') return done(new Error('Connection terminated'))
    this.#core.guests.add(this)
    this.session.connect((error) => {
      if (error) this.#over(error)
      else if (this.#stage === 'connecting') this.#stage = 'open'
      if (isDraining(this.#core.state) && this.atWork) this.#core.turns.mark(this.client)
      done(error)
      this.#goOn()
      // By then pg takes it for ready, and a read that was asked for meanwhile may be sent.
      process.nextTick(() => this.#goOn())
    })
    this.#setFace()
  }

  #over(error: Error): void {
    this.#stage = 'over'
    this.#core.guests.remove(this)
    this.#place.leave()
    this.#fail(error)
  }

  #fail(error: Error): void {
    for (const held of this.#waiting.splice(0)) failStatement(held, error, this.client.connection)
    this.#setFace()
  }

  #setFace(): void {
    const { state } = this.#core
    const isHome = state.kind === 'direct' && state.side === this.side && this.#stage !== 'new'
    const rests = isHome && this.#waiting.length === 0 && !this.session.moving && !this.#read.underWay
    this.#face.show(rests || this.#stage === 'over' ? this.client : this)
  }

  #goOn(): void {
    this.#setFace()
    this.#advance()
    this.#goHome()
  }

  /** Whether a statement goes out at once: at rest, and where it belongs to a transaction that is under way. */
  #passes(): boolean {
    if (this.#stage === 'new' || this.session.moving || this.#waiting.length > 0) return false
    if (this.#read.underWay) return false
    return isInTransaction(this.client) || (this.#isServed && this.side === this.#core.side)
  }

  get #isServed(): boolean {
    const { kind } = this.#core.state
    return kind === 'direct' || kind === 'armed' || kind === 'releasing'
  }

  /** Whether what waits may go on now, on the side in use. */
  get #mayStart(): boolean {
    if (this.#place.isTaken) return false
    return this.#isServed || (this.#admitted && isDraining(this.#core.state))
  }

  /** Sends what waits, or does what has to come first: wait in the line, or go to the other side. */
  #advance(): void {
    if (this.#stage !== 'open' || this.session.moving || this.#read.underWay || !this.#waiting[0]) return
    // Its transaction has begun with the statement before.
    if (isInTransaction(this.client)) this.#send()
    else if (!this.#mayStart) this.#readOrWait()
    else if (this.side === this.#core.side) this.#send()
    else this.#goHome()
  }

  #send(): void {
    const { turns, state, admission } = this.#core
    if (isDraining(state)) {
      turns.mark(this.client)
      turns.within(this.client, admission.outer(this.client) ?? null)
    }
    this.#place.leave()
    // What comes after these is asked for anew, or a busy client that was let through once would never be drained.
    this.#admitted = false
    try {
      for (let held = this.#waiting.shift(); held; held = this.#waiting.shift())
        this.client.query(held.statement)
    } catch (cause) {
      // Whoever asked is not here any more, and pg is stuck with a statement that it has sent in part or not at all.
      this.session.giveUp(
        new CutoverError('ERR_SESSION', 'a statement that waited could not be sent', { cause }),
      )
    }
    this.#setFace()
  }

  #readOrWait(): void {
    const [first] = this.#waiting
    const reads = this.#read.begin(this.client, this.side, first, (again) => this.#hasRead(again))
    if (reads) return void this.#waiting.shift()
    // BEGIN may be under way, and what follows it belongs to it.
    this.#ready.watch(this.client)
    if (this.#place.isTaken) return
    this.#place.take(this.client, (error) => {
      if (error) return this.#fail(error)
      this.#admitted = true
      this.#advance()
    })
  }

  #hasRead(again: HeldStatement | undefined): void {
    if (again) this.#waiting.unshift(again)
    if (this.#waiting.length === 0) this.#place.leave()
    if (this.#stage === 'over') this.#fail(new Error('Connection terminated'))
    this.#goOn()
  }

  /** To the side in use, between two transactions; at once, or with the answer that ends the present one. */
  #goHome(): void {
    if (this.#stage !== 'open' || this.session.moving || this.side === this.#core.side) return
    if (!this.#mayStart) return
    if (this.#isBusy || this.#read.underWay) return this.#ready.watch(this.client)
    this.#moved = this.session.move(() => this.#stage !== 'open').then((error) => this.#arrived(error))
    this.#setFace()
  }

  #arrived(error: Error | undefined): void {
    if (this.#stage !== 'open') return
    if (error) {
      this.#fail(error)
      this.session.giveUp(error)
    }
    this.#goOn()
  }
}
