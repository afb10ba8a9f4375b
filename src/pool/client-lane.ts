// One client of `cutover.Client`: its connection, what waits for it while held, and how it goes to the other side.
import { CutoverError } from '../errors.js'
import type { Side } from '../phase/phases.js'
import type { GivenConfig } from './client-config.js'
import { clientConfig } from './client-config.js'
import { isDraining } from './core-state.js'
import type { Guest } from './guests.js'
import { failStatement, holdStatement, type HeldStatement } from './held-statement.js'
import type { Acquisition } from './hold-queue.js'
import { moveSession } from './move-session.js'
import { NamedParameters } from './named-parameters.js'
import { isBusy, isInTransaction, type InnerClient } from './pg-internals.js'
import type { PoolCore } from './pool-core.js'
import type { PoolCoreOptions } from './pool-core-options.js'
import { sessionClient, type SessionClient } from './session-client.js'

/** What the library sees. */
export interface LaneFace {
  /** Where its statements go: the connection itself at rest, else the lane. */
  now: Queryable
  emit(event: string, ...args: readonly unknown[]): boolean
  listenerCount(event: string): number
}

export interface Queryable {
  query(config: unknown, values?: unknown, callback?: unknown): unknown
}

type Done = (error?: Error | null) => void

// Of what the library may listen to, these come often or matter to few, so they are handed on only if asked for.
export const ON_DEMAND: readonly string[] = ['notice', 'notification', 'drain']

export class ClientLane implements Guest, Queryable {
  inner: SessionClient
  side: Side
  readonly #core: PoolCore
  readonly #observed: Pick<PoolCoreOptions, 'name' | 'events'>
  readonly #given: GivenConfig
  readonly #face: LaneFace
  readonly #types: unknown
  readonly #named = new NamedParameters()
  readonly #forwarded = new Set<string>()
  #stage: 'new' | 'connecting' | 'open' | 'over' = 'new'
  #waiting: HeldStatement[] = []
  /** Where this client waits in the line of all. */
  #entry: Acquisition | undefined
  /** The line has let it through, for as long as the hold is the same. */
  #admitted = false
  #moving: Promise<void> | undefined
  #watchesReady = false
  #unreferenced = false
  /** It was us who ended it. */
  #gaveUp = false

  constructor(
    core: PoolCore,
    observed: Pick<PoolCoreOptions, 'name' | 'events'>,
    given: GivenConfig,
    face: LaneFace,
    types: unknown,
  ) {
    this.#core = core
    this.#observed = observed
    this.#given = given
    this.#face = face
    this.#types = types
    this.side = core.side
    this.inner = this.#make(this.side)
  }

  get client(): InnerClient {
    return this.inner
  }

  get atWork(): boolean {
    if (this.#stage === 'connecting') return this.inner._queryQueue.length > 0
    return this.#stage === 'open' && (isBusy(this.inner) || isInTransaction(this.inner))
  }

  /** Connects to the side in use, even while held: an idle connection does no harm there, and moves like any other. */
  connect(done: Done): void {
    if (this.#stage !== 'new') return this.inner.connect(done)
    this.#stage = 'connecting'
    const { kind } = this.#core.state
    if (kind !== 'unknown' && kind !== 'refusing' && kind !== 'ended') return this.#connect(done)
    this.#core.admission.enter((error) => (error ? this.#end(error, done) : this.#connect(done)))
  }

  query(config: unknown, values?: unknown, callback?: unknown): unknown {
    if (config === null || config === undefined || this.#stage === 'over' || this.#passes())
      return this.inner.query(config, values, callback)
    const held = holdStatement(config, values, callback, this.#given.Promise ?? Promise)
    this.#waiting.push(held)
    if (this.#entry && this.#core.admission.outer(this.inner) !== undefined) this.#leaveLine()
    this.#advance()
    return held.result
  }

  /** A statement that waits is taken back. */
  withdraw(statement: unknown): boolean {
    const at = this.#waiting.findIndex((held) => held.statement === statement)
    if (at >= 0) this.#waiting.splice(at, 1)
    return at >= 0
  }

  end(callback: (() => void) | undefined): unknown {
    const ended = this.inner.end(callback)
    this.#over(new Error('Connection terminated'))
    return ended
  }

  reference(on: boolean): void {
    this.#unreferenced = !on
    if (on) this.inner.ref()
    else this.inner.unref()
  }

  forward(event: string): void {
    if (!ON_DEMAND.includes(event) || this.#forwarded.has(event)) return
    this.#forwarded.add(event)
    this.#forward(this.inner, event)
  }

  routeChanged(): void {
    const { state } = this.#core
    if (state.kind === 'held') this.#admitted = false
    this.#setFace()
    this.#advance()
  }

  async leave(side: Side): Promise<void> {
    if (this.side !== side || this.#stage !== 'open') return
    this.#leaveWhenIdle()
    await this.#moving
  }

  #make(side: Side): SessionClient {
    const { inner } = this.#core.pools[side]
    const made = sessionClient(inner, clientConfig(inner, this.#given), this.#types)
    for (const event of this.#forwarded) this.#forward(made, event)
    return made
  }

  #connect(done: Done): void {
    if (this.#stage !== 'connecting') return done(new Error('Connection terminated'))
    const { side } = this.#core
    if (side !== this.side) this.#replaceUnused(side)
    const { inner } = this
    // pg-pool gives a client up in this way, which pg does not see before it connects.
    if (inner.connection.stream.destroyed) return this.#end(new Error('timeout expired'), done)
    this.#listenTo(inner)
    inner.connect((error?: Error | null) => {
      if (error) return this.#end(error, done)
      this.#connected(inner)
      done()
      this.#setFace()
      this.#advance()
      if (this.side !== this.#core.side) this.#leaveWhenIdle()
    })
    this.#core.guests.add(this)
    this.#setFace()
  }

  #connected(inner: SessionClient): void {
    if (this.#stage === 'connecting') this.#stage = 'open'
    this.#core.pools[this.side].watch(inner)
    this.#named.watch(inner)
    if (this.#unreferenced) inner.unref()
    if (isDraining(this.#core.state) && this.atWork) this.#core.turns.mark(inner)
  }

  /** The library may have listened to the connection that it was shown. */
  #replaceUnused(side: Side): void {
    const { connection } = this.inner
    this.side = side
    this.inner = this.#make(side)
    for (const event of connection.eventNames())
      if (event !== 'newListener')
        for (const listener of connection.listeners(event))
          this.inner.connection.on(event, listener as () => void)
  }

  #end(error: Error, done: Done): void {
    this.#over(error)
    done(error)
  }

  #over(error: Error): void {
    this.#stage = 'over'
    this.#core.guests.remove(this)
    this.#leaveLine()
    for (const held of this.#waiting.splice(0)) failStatement(held, error, this.inner.connection)
    this.#setFace()
  }

  #setFace(): void {
    const { state } = this.#core
    const isHome = state.kind === 'direct' && state.side === this.side && this.#stage !== 'new'
    const rests = isHome && this.#waiting.length === 0 && this.#moving === undefined
    this.#face.now = rests || this.#stage === 'over' ? this.inner : this
  }

  /** Whether a statement goes out at once: at rest, and where it belongs to a transaction that is under way. */
  #passes(): boolean {
    if (this.#stage === 'new' || this.#moving || this.#waiting.length > 0) return false
    if (isInTransaction(this.inner)) return true
    return this.#isServed && this.side === this.#core.side
  }

  get #isServed(): boolean {
    const { kind } = this.#core.state
    return kind === 'direct' || kind === 'armed' || kind === 'releasing'
  }

  /** Sends what waits, or does what has to come first: wait in the line, or go to the other side. */
  #advance(): void {
    if (this.#stage !== 'open' || this.#moving || this.#waiting.length === 0) return
    if (isInTransaction(this.inner)) return this.#send()
    const admitted = this.#admitted && isDraining(this.#core.state)
    if (!(this.#isServed && this.#entry === undefined) && !admitted) return this.#waitInLine()
    if (this.side === this.#core.side) this.#send()
    else this.#leaveWhenIdle()
  }

  #send(): void {
    const { turns, state, admission } = this.#core
    if (isDraining(state)) {
      turns.mark(this.inner)
      turns.within(this.inner, admission.outer(this.inner) ?? null)
    }
    this.#leaveLine()
    for (const { statement } of this.#waiting.splice(0)) this.inner.query(statement)
    this.#setFace()
  }

  #waitInLine(): void {
    // BEGIN may be under way, and what follows it belongs to it.
    this.#watchReady()
    if (this.#entry) return
    let over = false
    const entry = this.#core.admission.enter((error) => {
      over = true
      this.#entry = undefined
      if (error) {
        for (const held of this.#waiting.splice(0)) failStatement(held, error, this.inner.connection)
        this.#setFace()
      } else {
        this.#admitted = true
        this.#advance()
      }
    }, this.inner)
    if (!over) this.#entry = entry
  }

  #leaveLine(): void {
    this.#entry?.queue?.remove(this.#entry)
    this.#entry = undefined
    this.#core.line.watch()
  }

  #watchReady(): void {
    if (this.#watchesReady) return
    this.#watchesReady = true
    const { inner } = this
    inner.connection.once('readyForQuery', () => {
      this.#watchesReady = false
      if (this.inner !== inner || this.#stage !== 'open') return
      this.#advance()
      if (this.side !== this.#core.side) this.#leaveWhenIdle()
    })
  }

  #leaveWhenIdle(): void {
    const mayStart = this.#isServed || (this.#admitted && isDraining(this.#core.state))
    if (this.#moving || this.#stage !== 'open' || !mayStart) return
    if (this.atWork) return this.#watchReady()
    const { side } = this.#core
    const left = this.inner
    const fresh = this.#make(side)
    this.#moving = moveSession(left, fresh, this.#named.names).then(
      (state) => {
        this.#moving = undefined
        return this.#moved(left, fresh, side, state.channels)
      },
      (error: Error) => {
        this.#moving = undefined
        this.#giveUp(error)
      },
    )
    this.#setFace()
  }

  #moved(left: SessionClient, fresh: SessionClient, side: Side, channels: readonly string[]): void {
    // Ended by the library meanwhile.
    if (this.#stage !== 'open') return fresh.connection.stream.destroy()
    this.#settle(left, fresh, side)
    if (channels.length > 0) this.#warnOfChannels(channels)
    this.#advance()
    if (this.side !== this.#core.side) this.#leaveWhenIdle()
  }

  #settle(left: SessionClient, fresh: SessionClient, side: Side): void {
    this.side = side
    this.inner = fresh
    this.#watchesReady = false
    this.#listenTo(fresh)
    this.#connected(fresh)
    left.end(() => {})
    this.#setFace()
  }

  /** The library is told as of any connection that was lost, so that its pool makes another client. */
  #giveUp(error: Error): void {
    if (this.#stage !== 'open') return
    const { inner } = this
    this.#warn(error.message)
    for (const held of this.#waiting.splice(0)) failStatement(held, error, inner.connection)
    // It is our doing, and must not end a process whose pool has taken its own listener away for the time of a lease.
    this.#gaveUp = error instanceof CutoverError
    inner.connection.stream.destroy(error)
  }

  #warnOfChannels(channels: readonly string[]): void {
    const named = channels.map((channel) => `"${channel}"`).join(', ')
    this.#warn(
      `a client that listens on ${named} was moved, and may have missed notifications meanwhile; cutover.listen tells of such gaps`,
    )
  }

  #warn(message: string): void {
    const { name, events } = this.#observed
    events.publish('warning', { name, code: 'CLIENT', message })
  }

  #listenTo(inner: SessionClient): void {
    const mine = (): boolean => this.inner === inner
    inner.on('error', (error) => {
      if (mine() && !(this.#gaveUp && this.#face.listenerCount('error') === 0))
        this.#face.emit('error', error)
    })
    inner.on('end', () => {
      if (!mine()) return
      this.#over(new Error('Connection terminated'))
      this.#face.emit('end')
    })
    inner.on('connect', () => {
      if (mine()) this.#face.emit('connect')
    })
  }

  #forward(inner: SessionClient, event: string): void {
    inner.on(event as 'drain', (...args: readonly unknown[]) => {
      if (event !== 'drain' || (this.inner === inner && !this.#moving)) this.#face.emit(event, ...args)
    })
  }
}
