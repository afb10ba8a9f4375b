// The routes: what `query` and `connect` of the facade do at this moment. A route is swapped whole, never asked.
import pg from 'pg'
import type { AcquireCallback, InnerPool } from './pg-internals.js'

/** One strategy for the facade's two verbs; arguments and results are pg-pool's. */
export interface Route {
  query(text: unknown, values: unknown, callback: unknown): unknown
  connect(callback: unknown): unknown
}

type Loose = (this: unknown, ...args: readonly unknown[]) => unknown
const poolPrototype = pg.Pool.prototype as unknown as { readonly query: Loose }

/** At rest: the inner pool's own calls and results, with nothing in between. */
export class DirectRoute implements Route {
  readonly #inner: InnerPool

  constructor(inner: InnerPool) {
    this.#inner = inner
  }

  query(text: unknown, values: unknown, callback: unknown): unknown {
    return this.#inner.query(text, values, callback)
  }

  connect(callback: unknown): unknown {
    // pg-pool takes a callback of `undefined` for the promise form.
    return this.#inner.connect(callback as AcquireCallback)
  }
}

/** How a gated route gets at clients. */
export interface Admission {
  acquire(callback: AcquireCallback, kind: 'query' | 'connect'): unknown
  /** What pg-pool's own `query` needs of the pool it runs in. */
  readonly inner: InnerPool
  /** The stand-in for a client that may run the statement once more, or undefined where that is not allowed. */
  rerunnable(text: unknown, values: unknown): ((callback: AcquireCallback) => void) | undefined
}

/**
 * Armed, held and releasing: acquisitions pass the facade's own queue. `query` is pg-pool's own, run on a shim, so that
 * all its forms, errors and stacks stay pg's and the queue knows one kind of entry only.
 */
export class GatedRoute implements Route {
  readonly #admission: Admission

  constructor(admission: Admission) {
    this.#admission = admission
  }

  query(text: unknown, values: unknown, callback: unknown): unknown {
    const admission = this.#admission
    const { log, Promise } = admission.inner
    const connect =
      admission.rerunnable(text, values) ??
      ((acquired: AcquireCallback): void => void admission.acquire(acquired, 'query'))
    return poolPrototype.query.call({ connect, log, Promise }, text, values, callback)
  }

  connect(callback: unknown): unknown {
    if (typeof callback === 'function') {
      this.#admission.acquire(callback as AcquireCallback, 'connect')
      return undefined
    }
    const { Promise } = this.#admission.inner
    return new Promise((resolve, reject) => {
      this.#admission.acquire((error, client) => (error ? reject(error) : resolve(client)), 'connect')
    }).catch((error: Error) => {
      // The stack leads to a socket; make it lead to whoever asked, as pg-pool does.
      Error.captureStackTrace(error)
      throw error
    })
  }
}

/** After `end()`, and where no phase is known: every call fails with the same error, in its own form. */
export class ClosedRoute implements Route {
  readonly #reason: () => Error

  constructor(reason: () => Error) {
    this.#reason = reason
  }

  query(text: unknown, values: unknown, callback: unknown): unknown {
    const given = [callback, values, text].find((one) => typeof one === 'function')
    return this.connect(given)
  }

  connect(callback: unknown): unknown {
    const error = this.#reason()
    if (typeof callback !== 'function') return Promise.reject(error)
    Reflect.apply(callback, undefined, [error, undefined, () => {}])
    return undefined
  }
}
