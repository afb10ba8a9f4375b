// The pool that Knex is given: no connections of its own, each acquisition is a lease of a view of the facade.
import { EventEmitter } from 'node:events'
import type { Cutover } from '../../src/index.js'
import type { KnexConnection, KnexPool } from './dialect.js'
import { holdClock, type HoldClock } from './hold-clock.js'
import { ReadLease } from './read-lease.js'

export interface LeasePoolOptions {
  readonly acquireTimeoutMillis: number
  /** What a call fails with that has waited so long. */
  readonly timedOut: () => Error
  /** How a lease without a connection is called in Knex's events. */
  readonly nextName: () => string
  /** Whether any session of the cutover will do, so that this Knex sets none up for itself. */
  readonly anySession: () => boolean
  /** What a connection needs before Knex may use it; undefined where it is ready. A rejection costs the connection. */
  readonly prepare: (connection: KnexConnection) => Promise<unknown> | undefined
  /** A lease ends. */
  readonly leave: (connection: KnexConnection) => void
  /** An idle connection was lost. */
  readonly lost: (error: Error) => void
}

interface View {
  readonly idleCount: number
  readonly options: { readonly min: number; readonly max: number }
  connect(callback: (error: Error | undefined, client: KnexConnection | undefined) => void): void
  query(text: unknown, values?: unknown, callback?: unknown): unknown
  end(): Promise<void>
  on(event: 'error', listener: (error: Error) => void): unknown
}

/**
 * Has tarn's methods and counters, for Knex and for whoever watches its pool, and tarn's events of acquisitions:
 * `acquireRequest`, `acquireSuccess`, `acquireFail` and `release`.
 */
export class LeasePool extends EventEmitter implements KnexPool {
  readonly #cutover: Cutover
  readonly #view: View
  readonly #options: LeasePoolOptions
  readonly #clock: HoldClock
  readonly #out = new Set<KnexConnection>()
  /** What fails each call that waits. */
  readonly #waiting = new Set<(error: Error) => void>()
  #requests = 0
  #allBack: (() => void) | undefined
  #destroyed: Promise<void> | undefined

  constructor(cutover: Cutover, options: LeasePoolOptions) {
    super()
    this.#cutover = cutover
    this.#options = options
    this.#clock = holdClock(cutover)
    this.#view = cutover.createPool() as unknown as View
    // Without a listener a connection that dies while idle would end the process.
    this.#view.on('error', options.lost)
  }

  acquire(): { readonly promise: Promise<KnexConnection>; abort(): void } {
    let abort!: () => void
    const promise = new Promise<KnexConnection>((resolve, reject) => {
      abort = this.#wait(resolve, reject)
    })
    return { promise, abort }
  }

  /** Whether new work waits at this moment. */
  get holds(): boolean {
    return this.#clock.stopped
  }

  /**
   * A lease for a statement that is answered during a hold, at once and without a connection: it would only wait. Counted
   * and told of as any other. Undefined where this text has to wait.
   */
  lend(text: string): KnexConnection | undefined {
    const { anySession, nextName } = this.#options
    if (this.#destroyed || !anySession() || !this.#cutover.flowsWhileHeld(text)) return undefined
    const request = ++this.#requests
    const lease = new ReadLease(this.#view, nextName())
    this.#out.add(lease)
    this.emit('acquireRequest', request)
    this.emit('acquireSuccess', request, lease)
    return lease
  }

  /** False for a connection that is not out: it was given back before, and may be somebody else's by now. */
  release(connection: KnexConnection): boolean {
    if (!this.#out.delete(connection)) return false
    this.#options.leave(connection)
    this.emit('release', connection)
    // A statement that was given up goes on, and whoever came next would wait for it.
    connection.release(connection.__knex__disposed !== undefined)
    if (this.#out.size === 0) this.#allBack?.()
    return true
  }

  /** Fails what waits, waits for what is out, and ends the view, all of it once. */
  destroy(): Promise<void> {
    return (this.#destroyed ??= this.#destroy())
  }

  numUsed(): number {
    return this.#out.size
  }

  /** Idle connections of the cutover, which others may take as well. */
  numFree(): number {
    return this.#view.idleCount
  }

  numPendingAcquires(): number {
    return this.#waiting.size
  }

  numPendingCreates(): number {
    return 0
  }

  get min(): number {
    return this.#view.options.min
  }

  get max(): number {
    return this.#view.options.max
  }

  async #destroy(): Promise<void> {
    for (const fail of this.#waiting) fail(aborted())
    if (this.#out.size > 0)
      await new Promise<void>((resolve) => {
        this.#allBack = resolve
      })
    await this.#view.end()
  }

  /** Gives the call that waits its connection or its error, whichever comes first; what it returns gives it up. */
  #wait(resolve: (connection: KnexConnection) => void, reject: (error: Error) => void): () => void {
    const request = ++this.#requests
    const { acquireTimeoutMillis, timedOut } = this.#options
    const due = this.#clock.now() + acquireTimeoutMillis
    const fail = (error: Error): void => {
      if (!over()) return
      this.emit('acquireFail', request, error)
      reject(error)
    }
    /** True once, for whoever ends the wait. */
    const over = (): boolean => {
      clearTimeout(timer)
      return this.#waiting.delete(fail)
    }
    const give = (connection: KnexConnection): void => {
      if (!over()) return void this.release(connection)
      this.emit('acquireSuccess', request, connection)
      resolve(connection)
    }
    const look = (): void => {
      if (!this.#waiting.has(fail)) return
      const left = due - this.#clock.now()
      if (this.#clock.stopped) this.#clock.onceRunning(look)
      else if (left > 0) timer = setTimeout(look, left)
      else fail(timedOut())
    }
    let timer = setTimeout(look, acquireTimeoutMillis)
    this.#waiting.add(fail)
    this.emit('acquireRequest', request)
    if (this.#destroyed) fail(aborted())
    else
      this.#view.connect((error, connection) => {
        if (connection === undefined) fail(error ?? aborted())
        // Nobody waits for it any more.
        else if (!this.#waiting.has(fail)) connection.release()
        else this.#prepare(connection, give, fail)
      })
    return () => fail(aborted())
  }

  #prepare(
    connection: KnexConnection,
    give: (connection: KnexConnection) => void,
    fail: (error: Error) => void,
  ): void {
    this.#out.add(connection)
    const ready = this.#options.prepare(connection)
    if (ready === undefined) return give(connection)
    ready.then(
      () => give(connection),
      (reason: Error) => {
        connection.__knex__disposed = reason
        this.release(connection)
        fail(reason)
      },
    )
  }
}

/** In tarn's word. */
const aborted = (): Error => new Error('aborted')
