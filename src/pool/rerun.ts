// Runs one plain statement of `pool.query` again on the new writer when it met the fence, and only then.
import type { Acquisition } from './hold-queue.js'
import type { AcquireCallback, InnerClient, InnerPool } from './pg-internals.js'
import type { QueryPool } from './route.js'

type Listener = (error: Error) => void
type Answer = (error: Error | undefined, result?: unknown) => void
type Release = (error?: Error | boolean) => void

export interface RerunAdmission {
  readonly inner: InnerPool
  acquire(callback: AcquireCallback, kind: 'query'): Acquisition
  /** Asks once more, in front of everything that waits, with the caller's context and what is left of its time. */
  acquireAgain(first: Acquisition, callback: AcquireCallback): void
  /** Whether this error is the fence of this migration. */
  isOurFence(error: unknown): boolean
}

/**
 * Stands for the pool and then for its client in pg-pool's own `query`, one object for both since thousands may be
 * held. Hands everything on to the real ones, but keeps a fence's refusal to itself once, gives the client back without
 * an error (a pool reconnects after one) and asks for another.
 * Only for statements that did nothing when refused: one plain statement in autocommit on an idle connection.
 */
export class RerunnableClient implements QueryPool {
  readonly #admission: RerunAdmission
  #client: InnerClient | undefined
  #release: Release | undefined
  #listener: Listener | undefined
  #first: Acquisition | undefined
  #reran = false

  constructor(admission: RerunAdmission) {
    this.#admission = admission
  }

  get log(): InnerPool['log'] {
    return this.#admission.inner.log
  }

  get Promise(): PromiseConstructor {
    return this.#admission.inner.Promise
  }

  connect(callback: AcquireCallback): void {
    this.#first = this.#admission.acquire((error, client, release) => {
      if (error || !client) return callback(error, undefined, release)
      this.#adopt(client, release)
      callback(undefined, this as unknown as InnerClient, release)
    }, 'query')
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
      if (error && !this.#reran && this.#admission.isOurFence(error))
        this.#afterReady(client, text, values, answer, error)
      else answer(error, result)
    })
  }

  // pg reports an error before the server says what state the session is in; that comes with ReadyForQuery.
  #afterReady(
    client: InnerClient,
    text: string,
    values: unknown[] | undefined,
    answer: Answer,
    error: Error,
  ): void {
    const { connection } = client
    if (connection === undefined) return answer(error)
    let settled = false
    const settle = (rerun: boolean): void => {
      if (settled) return
      settled = true
      connection.removeListener('readyForQuery', ready)
      client.removeListener('error', lost)
      if (rerun) this.#again(client, text, values, answer)
      else answer(error)
    }
    const ready = (): void => settle(client.getTransactionStatus() === 'I')
    const lost = (): void => settle(false)
    connection.once('readyForQuery', ready)
    client.once('error', lost)
  }

  #again(from: InnerClient, text: string, values: unknown[] | undefined, answer: Answer): void {
    const first = this.#first
    if (first === undefined) return
    this.#reran = true
    const listener = this.#listener
    if (listener) from.removeListener('error', listener)
    this.release()
    this.#admission.acquireAgain(first, (error, client, release) => {
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
