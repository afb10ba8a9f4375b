// Runs a statement of `pool.query` again that did nothing the first time: it met the fence, or was taken for a read.
import type { Acquisition } from './hold-queue.js'
import type { AcquireCallback, InnerClient, InnerPool } from './pg-internals.js'
import type { QueryPool } from './route.js'

type Listener = (error: Error) => void
type Answer = (error: Error | undefined, result?: unknown) => void
type Release = (error?: Error | boolean) => void
type Again = 'acquireAgain' | 'acquireAsWrite'

export interface RerunAdmission {
  readonly inner: InnerPool
  /** `read`: the text, if it may be one that goes on while all else is held. */
  acquire(callback: AcquireCallback, kind: 'query', read: string | undefined): Acquisition
  /** Asks once more, in front of everything that waits, with the caller's context and what is left of its time. */
  acquireAgain(first: Acquisition, callback: AcquireCallback): void
  /** Asks once more where it would be had it never been taken for a read, which its text will not be again. */
  acquireAsWrite(first: Acquisition, callback: AcquireCallback): void
  /** Whether this error is the fence of this migration. */
  isOurFence(error: unknown): boolean
  /** Whether this error says that what ran on a read-only connection of ours was no read. */
  isMistake(error: unknown, client: InnerClient): boolean
}

/**
 * Stands for the pool and then for its client in pg-pool's own `query`, one object for both since thousands may be
 * held. Hands everything on to the real ones, but keeps a fence's refusal to itself once, gives the client back without
 * an error (a pool reconnects after one) and asks for another.
 * Only for statements that did nothing when refused: one plain statement in autocommit on an idle connection. So it is with
 * what was taken for a read and is none: the server refuses it in a read-only session.
 */
export class RerunnableClient implements QueryPool {
  readonly #admission: RerunAdmission
  #client: InnerClient | undefined
  #release: Release | undefined
  #listener: Listener | undefined
  #first: Acquisition | undefined
  /** Whether it may meet the fence and run once more. */
  #plain: boolean
  #read: string | undefined

  constructor(admission: RerunAdmission, plain: boolean, read: string | undefined) {
    this.#admission = admission
    this.#plain = plain
    this.#read = read
  }

  get log(): InnerPool['log'] {
    return this.#admission.inner.log
  }

  get Promise(): PromiseConstructor {
    return this.#admission.inner.Promise
  }

  connect(callback: AcquireCallback): void {
    const adopt: AcquireCallback = (error, client, release) => {
      if (error || !client) return callback(error, undefined, release)
      this.#adopt(client, release)
      callback(undefined, this as unknown as InnerClient, release)
    }
    this.#first = this.#admission.acquire(adopt, 'query', this.#read)
  }

  once(_event: 'error', listener: Listener): void {
    this.#listener = listener
    this.#client?.once('error', listener)
  }

  removeListener(_event: 'error', listener: Listener): void {
    this.#listener = undefined
    this.#client?.removeListener('error', listener)
  }

  release(error?: Error | boolean): void {
    const release = this.#release
    this.#client = undefined
    this.#release = undefined
    release?.(error)
  }

  query(text: string, values: unknown[] | undefined, answer: Answer): void {
    const client = this.#client
    client?.query(text, values as unknown[], (error: Error | undefined, result: unknown) => {
      const again = error && this.#againAfter(error, client)
      if (again) this.#afterReady(client, text, values, answer, error, again)
      else answer(error, result)
    })
  }

  #againAfter(error: Error, client: InnerClient): Again | undefined {
    if (this.#read !== undefined && this.#admission.isMistake(error, client)) return 'acquireAsWrite'
    return this.#plain && this.#admission.isOurFence(error) ? 'acquireAgain' : undefined
  }

  // pg reports an error before the server says what state the session is in; that comes with ReadyForQuery.
  #afterReady(
    client: InnerClient,
    text: string,
    values: unknown[] | undefined,
    answer: Answer,
    error: Error,
    again: Again,
  ): void {
    const { connection } = client
    if (connection === undefined) return answer(error)
    let settled = false
    const settle = (rerun: boolean): void => {
      if (settled) return
      settled = true
      connection.removeListener('readyForQuery', ready)
      client.removeListener('error', lost)
      if (rerun) this.#again(again, client, text, values, answer)
      else answer(error)
    }
    const ready = (): void => settle(client.getTransactionStatus() === 'I')
    const lost = (): void => settle(false)
    connection.once('readyForQuery', ready)
    client.once('error', lost)
  }

  #again(again: Again, from: InnerClient, text: string, values: unknown[] | undefined, answer: Answer): void {
    const first = this.#first
    if (first === undefined) return
    // Once each, and no read any more by whatever way it came to be asked again.
    this.#read = undefined
    if (again === 'acquireAgain') this.#plain = false
    const listener = this.#listener
    if (listener) from.removeListener('error', listener)
    this.release()
    this.#admission[again](first, (error, client, release) => {
      if (error || !client) return answer(error)
      this.#adopt(client, release)
      if (listener) client.once('error', listener)
      this.query(text, values, answer)
    })
  }

  #adopt(client: InnerClient, release: Release): void {
    this.#client = client
    this.#release = release
  }
}
