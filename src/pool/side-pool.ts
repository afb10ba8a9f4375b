// The pool of one side: a real pg.Pool, what is in flight on it, its warm-up, and the removal of stale connections.
import type { EventEmitter } from 'node:events'
import type { Side } from '../phase/phases.js'
import { readFence, type FenceMessage } from './fence-error.js'
import type { LeaseReport } from './gate.js'
import { isBusy, isInTransaction, type InnerClient, type InnerPool } from './pg-internals.js'

export interface SidePoolHooks {
  /** A statement on this side was refused by a fence. Told once for each refusal, in whatever route. */
  fenced(side: Side, fence: FenceMessage): void
  /** An idle client of this side failed. */
  failed(side: Side, error: Error, client: InnerClient): void
}

interface Backend {
  /** When its connection ended, if it did. */
  readonly endedAt?: number
  /** The connection was given up with a statement under way. */
  readonly abandoned?: boolean
}

// The server may go on with a statement whose client was destroyed by `query_timeout`, so a backend is remembered
// for a while after its connection.
const FORGET_AFTER_MILLIS = 600_000

export class SidePool {
  readonly side: Side
  readonly inner: InnerPool
  /** A handed-in pool belongs to its owner: `cutover.end()` leaves it open. */
  readonly handedIn: boolean
  /** Set while clients are taken for our own ends: their acquire and release are nobody's business. */
  muted = false
  readonly #backends = new Map<number, Backend>()
  readonly #usualMin: number
  readonly #detach: () => void
  #sweeping = false

  constructor(side: Side, inner: InnerPool, handedIn: boolean, hooks: SidePoolHooks) {
    this.side = side
    this.inner = inner
    this.handedIn = handedIn
    this.#usualMin = inner.options.min
    const watch = (client: InnerClient): void => this.#watch(client, hooks)
    const failed = (error: Error, client: InnerClient): void => hooks.failed(side, error, client)
    for (const client of inner._clients) watch(client)
    this.emitter.on('connect', watch)
    this.emitter.on('error', failed)
    this.#detach = () => {
      this.emitter.removeListener('connect', watch)
      this.emitter.removeListener('error', failed)
    }
  }

  /** The pool's events without pg's typed overloads. */
  get emitter(): EventEmitter {
    return this.inner
  }

  /** Checked out, being connected, or waiting inside pg-pool. Exact without `connectionTimeoutMillis`, never low with it. */
  get inFlight(): number {
    const { inner } = this
    return inner.totalCount - inner.idleCount + inner.waitingCount
  }

  get hasSlot(): boolean {
    return this.inFlight < this.inner.options.max
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
    return [...this.leased(), ...busy].map((client) => ({
      side: this.side,
      processId: client.processID ?? undefined,
      lastStatement: client._activeQuery?.text?.slice(0, 200),
      inTransaction: isInTransaction(client),
    }))
  }

  backends(): number[] {
    return [...this.#backends.keys()]
  }

  /** Those that may still run a statement, or even have it to read yet, although its caller has given up. */
  abandoned(): number[] {
    return [...this.#backends].filter(([, { abandoned }]) => abandoned).map(([pid]) => pid)
  }

  /** Opens `count` connections at once and keeps them from idling out until {@link restoreMin}. */
  async warm(count: number): Promise<void> {
    this.#stopSweeping()
    const wanted = Math.max(1, Math.min(count, this.inner.options.max))
    this.inner.options.min = Math.max(this.#usualMin, wanted)
    this.muted = true
    try {
      // One by one would hand out the same client again and again.
      const opened = await Promise.allSettled(Array.from({ length: wanted }, () => this.inner.connect()))
      for (const one of opened) if (one.status === 'fulfilled') one.value.release()
      const failed = opened.find((one) => one.status === 'rejected')
      if (failed) throw failed.reason
    } finally {
      this.muted = false
    }
  }

  restoreMin(): void {
    this.inner.options.min = this.#usualMin
  }

  /** Closes what is idle now, and what comes back later, until the side is warmed again. */
  async sweep(): Promise<void> {
    this.restoreMin()
    if (!this.#sweeping) {
      this.#sweeping = true
      this.inner.on('release', this.#sweepLater)
    }
    await Promise.all(
      [...this.inner._idle].map(
        ({ client }) => new Promise<void>((resolve) => this.inner._remove(client, () => resolve())),
      ),
    )
  }

  /** Gives a handed-in pool back to its owner as it was. */
  letGo(): void {
    this.#stopSweeping()
    this.restoreMin()
    this.#detach()
  }

  /** Ends the pool. Calls that wait inside it are failed with pg-pool's own text instead of being left for ever. */
  async end(): Promise<void> {
    this.#stopSweeping()
    const { inner } = this
    if (inner.ending) return
    const ended = inner.end()
    for (const { callback } of inner._pendingQueue.splice(0)) {
      const error = new Error('Cannot use a pool after calling end on the pool')
      process.nextTick(() => callback(error, undefined, () => {}))
    }
    await ended
  }

  // `release` is emitted before the client is among the idle ones.
  readonly #sweepLater = (): void => {
    setImmediate(() => {
      if (this.#sweeping) void this.sweep()
    })
  }

  #stopSweeping(): void {
    this.#sweeping = false
    this.inner.removeListener('release', this.#sweepLater)
  }

  // Once a connection, never once a query.
  #watch(client: InnerClient, hooks: SidePoolHooks): void {
    // A leased client that dies without a listener would end the process.
    client.on('error', () => {})
    client.connection?.prependListener('errorMessage', (message: unknown) => {
      const fence = readFence(message)
      if (fence) hooks.fenced(this.side, fence)
    })
    const { processID } = client
    if (processID === null) return
    const now = performance.now()
    for (const [pid, { endedAt = now }] of this.#backends) {
      if (now - endedAt > FORGET_AFTER_MILLIS) this.#backends.delete(pid)
    }
    this.#backends.set(processID, {})
    client.once('end', () =>
      this.#backends.set(processID, { endedAt: performance.now(), abandoned: isBusy(client) }),
    )
  }
}
