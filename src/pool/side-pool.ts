// The pool of one side: a real pg.Pool, what is in flight on it, its warm-up, and the removal of stale connections.
import type { EventEmitter } from 'node:events'
import type { Side } from '../phase/phases.js'
import { readFence, type FenceMessage } from './fence-error.js'
import type { LeaseReport } from './gate.js'
import { OwnBackends } from './own-backends.js'
import {
  isBusy,
  isInTransaction,
  type AcquireCallback,
  type InnerClient,
  type InnerPool,
} from './pg-internals.js'
import { Sweeper } from './sweeper.js'

export interface SidePoolHooks {
  /** A statement on this side was refused by a fence. Told once for each refusal, in whatever route. */
  fenced(side: Side, fence: FenceMessage): void
  /** An idle client of this side failed. */
  failed(side: Side, error: Error, client: InnerClient): void
}

export type Listener = Parameters<EventEmitter['on']>[1]

export class SidePool {
  readonly side: Side
  readonly inner: InnerPool
  /** A handed-in pool belongs to its owner: `cutover.end()` leaves it open. */
  readonly handedIn: boolean
  /** Set while clients are taken for our own ends: their acquire and release are nobody's business. */
  muted = false
  readonly backends = new OwnBackends()
  readonly #hooks: SidePoolHooks
  readonly #usualMin: number
  readonly #listening = new Set<() => void>()
  /** Every connected client, also those of no pool, with what ends the watching of it. */
  readonly watching = new Map<InnerClient, () => void>()
  /** Told of each client that is watched from now on. */
  readonly connected = new Set<(client: InnerClient) => void>()
  readonly #sweeper: Sweeper
  #warmed: Promise<void> = Promise.resolve()

  constructor(side: Side, inner: InnerPool, handedIn: boolean, hooks: SidePoolHooks) {
    this.side = side
    this.inner = inner
    this.handedIn = handedIn
    this.#hooks = hooks
    this.#usualMin = inner.options.min
    this.#sweeper = new Sweeper(inner)
    const failed = (error: Error, client: InnerClient): void => hooks.failed(side, error, client)
    // One that is connecting will be told of.
    for (const client of inner._clients) if (client._connected !== false) this.watch(client)
    this.listen('connect', this.watch)
    this.listen('error', failed)
  }

  /** The pool's events without pg's typed overloads. */
  get emitter(): EventEmitter {
    return this.inner
  }

  /** Listens to the pool until the function that it gives is called, or the pool is given back to its owner. */
  listen(event: string, listener: Listener): () => void {
    const stop = (): void => {
      this.emitter.removeListener(event, listener)
      this.#listening.delete(stop)
    }
    this.emitter.on(event, listener)
    this.#listening.add(stop)
    return stop
  }

  /** Checked out, being connected, or waiting inside pg-pool. Exact without `connectionTimeoutMillis`, never low with it. */
  get inFlight(): number {
    const { inner } = this
    return inner.totalCount - inner.idleCount + inner.waitingCount
  }

  get hasSlot(): boolean {
    return this.inFlight < this.inner.options.max
  }

  /** pg-pool's `connect`, with another time to wait for a free client if one is given. */
  connect(waitMillis: number | undefined, callback: AcquireCallback): void {
    const { inner } = this
    if (waitMillis === undefined) return inner.connect(callback)
    const { options } = inner
    const usual = options.connectionTimeoutMillis
    try {
      // It is read once, in this call; 0 would be for ever.
      options.connectionTimeoutMillis = Math.max(1, waitMillis)
      inner.connect(callback)
    } finally {
      options.connectionTimeoutMillis = usual
    }
  }

  /** The clients that are checked out or being connected. */
  leased(): InnerClient[] {
    const idle = new Set(this.inner._idle.map((item) => item.client))
    return this.inner._clients.filter((client) => !idle.has(client))
  }

  /**
   * True when nothing of this process can be running on the side. A client that was released with a statement on the
   * wire is idle for pg-pool and busy for us.
   */
  isQuiet(): boolean {
    return this.inFlight === 0 && this.inner._idle.every((item) => !isBusy(item.client))
  }

  /** Removes idle clients that were released inside a transaction; it would stay open for as long as they are idle. */
  removeIdleInTransaction(): void {
    // A copy: removing takes the client out of the list.
    for (const { client } of Array.from(this.inner._idle)) {
      if (isInTransaction(client) && !isBusy(client)) this.inner._remove(client)
    }
  }

  /** Whatever keeps the side from being quiet: clients that are out, and idle ones with a statement under way. */
  leases(): LeaseReport[] {
    const busy = this.inner._idle.map((item) => item.client).filter((client) => isBusy(client))
    return [...this.leased(), ...busy].map((client) => this.lease(client))
  }

  lease(client: InnerClient): LeaseReport {
    return {
      side: this.side,
      processId: client.processID ?? undefined,
      lastStatement: client._activeQuery?.text?.slice(0, 200),
      inTransaction: isInTransaction(client),
    }
  }

  /** Opens `count` connections, runs `text` once on each, and keeps them from idling out until {@link restoreMin}. */
  async warm(count: number, text?: string): Promise<void> {
    this.keep()
    const { inner } = this
    const wanted = Math.max(1, Math.min(count, inner.options.max))
    inner.options.min = Math.max(this.#usualMin, wanted)
    // One after the other: each keeps its clients out until it has all, and two would wait for one another for ever.
    const warmed = this.#warmed.then(() => this.#warm(wanted, text))
    this.#warmed = warmed.catch(() => {})
    await warmed
  }

  async #warm(count: number, text: string | undefined): Promise<void> {
    this.muted = true
    try {
      // Loaded only here: nothing is warmed at rest.
      const { warmUp } = await import('./warm-up.js')
      await warmUp(this.inner, count, text)
    } finally {
      this.muted = false
    }
  }

  restoreMin(): void {
    const { inner } = this
    const { idleTimeoutMillis, allowExitOnIdle } = inner.options
    inner.options.min = this.#usualMin
    if (!idleTimeoutMillis) return
    // pg-pool sets the timer of a client when it comes back, and sets none while `min` keeps it.
    for (const item of inner._idle) {
      if (item.timeoutId !== undefined || !inner._isAboveMin()) continue
      item.timeoutId = setTimeout(() => {
        if (inner._isAboveMin()) inner._remove(item.client, () => inner._pulseQueue())
      }, idleTimeoutMillis)
      if (allowExitOnIdle) item.timeoutId.unref()
    }
  }

  /** Closes what is idle now, one after the other, and what comes back later, until the side is used or warmed again. */
  async sweep(): Promise<void> {
    this.restoreMin()
    await this.#sweeper.sweep()
  }

  /** The end of {@link sweep}: what comes back stays. */
  keep(): void {
    this.#sweeper.keep()
  }

  /** Gives a handed-in pool back to its owner as it was. */
  letGo(): void {
    this.keep()
    this.restoreMin()
    for (const stop of this.#listening) stop()
    for (const stop of this.watching.values()) stop()
    this.watching.clear()
  }

  /** Ends the pool. Calls that wait inside it are failed with pg-pool's own text instead of being left for ever. */
  async end(): Promise<void> {
    this.keep()
    const { inner } = this
    if (inner.ending) return
    const ended = inner.end()
    // Nobody waits for what is being opened for later, and it may take a server that does not answer very long.
    if (this.muted)
      for (const client of this.leased()) if (!client._connected) client.connection?.stream.destroy()
    for (const { callback } of inner._pendingQueue.splice(0)) {
      const error = new Error('Cannot use a pool after calling end on the pool')
      process.nextTick(() => callback(error, undefined, () => {}))
    }
    await ended
  }

  /** Knows of a connected client from here to its end. Once a connection, never once a query. */
  readonly watch = (client: InnerClient): void => {
    // A leased client that dies without a listener would end the process.
    const lost = (): void => {}
    const refused = (message: unknown): void => {
      const fence = readFence(message)
      if (fence) this.#hooks.fenced(this.side, fence)
    }
    const ended = (): void => {
      this.watching.delete(client)
      this.backends.ended(client.processID, isBusy(client))
    }
    client.on('error', lost)
    client.connection?.prependListener('errorMessage', refused)
    client.once('end', ended)
    this.watching.set(client, () => {
      client.removeListener('error', lost)
      client.connection?.removeListener('errorMessage', refused)
      client.removeListener('end', ended)
    })
    this.backends.began(client.processID)
    for (const hear of this.connected) hear(client)
  }
}
