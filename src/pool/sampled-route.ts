// The route for one call that is timed: it gives way at the first call of `query` whose end can be seen.
import { isSubmittable, queryThen } from './awaiting-route.js'
import type { Route } from './route.js'

/** What a timed call came to. */
export interface Timed {
  /** What `query` was given first: a text or a config. */
  readonly given: unknown
  /** From the call to its end. */
  readonly millis: number
  readonly failed: boolean
  /** Of a call that did not fail. */
  readonly result: unknown
}

export class SampledRoute implements Route {
  readonly #plain: Route
  readonly #giveWay: () => void
  readonly #ended: (timed: Timed) => void

  /** `giveWay` puts the plain route back, before the call is handed on to it. `ended` must not throw. */
  constructor(plain: Route, giveWay: () => void, ended: (timed: Timed) => void) {
    this.#plain = plain
    this.#giveWay = giveWay
    this.#ended = ended
  }

  query(text: unknown, values: unknown, callback: unknown): unknown {
    if (typeof text === 'function' || isSubmittable(text)) return this.#plain.query(text, values, callback)
    this.#giveWay()
    const started = performance.now()
    return queryThen(this.#plain, [text, values, callback], (failed, result) => {
      this.#ended({ given: text, millis: performance.now() - started, failed, result })
      return undefined
    })
  }

  connect(callback: unknown): unknown {
    return this.#plain.connect(callback)
  }
}
