// The route for one call that is timed: it gives way at the first call of `query` whose end can be seen.
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
    // The end of a cursor or a stream is its reader's business, and a function in front is a mistake with its own error.
    if (typeof text === 'function' || isSubmittable(text)) return this.#plain.query(text, values, callback)
    this.#giveWay()
    const started = performance.now()
    const end = (failed: boolean, result?: unknown): void =>
      this.#ended({ given: text, millis: performance.now() - started, failed, result })
    if (typeof values === 'function') return this.#plain.query(text, withEnd(values, end), callback)
    if (typeof callback === 'function') return this.#plain.query(text, values, withEnd(callback, end))
    const answer = this.#plain.query(text, values, callback)
    if (!isThenable(answer)) return answer
    // The derived promise and not the inner one goes to the caller. A reaction beside the caller's own would make the
    // inner promise look handled, so that a failure nobody handles went unseen, and would cut the caller out of the stack.
    return answer.then(
      (result: unknown) => {
        end(false, result)
        return result
      },
      (error: unknown) => {
        end(true)
        throw error
      },
    )
  }

  connect(callback: unknown): unknown {
    return this.#plain.connect(callback)
  }
}

// The pool's `Promise` option may name any class.
const isThenable = (given: unknown): given is PromiseLike<unknown> =>
  typeof given === 'object' && given !== null && typeof (given as { then?: unknown }).then === 'function'

const isSubmittable = (given: unknown): boolean =>
  typeof given === 'object' && given !== null && typeof (given as { submit?: unknown }).submit === 'function'

/** The caller's callback, called as it would have been. */
function withEnd(callback: unknown, end: (failed: boolean, result: unknown) => void) {
  return function (this: unknown, ...args: readonly unknown[]): unknown {
    end(Boolean(args[0]), args[1])
    return Reflect.apply(callback as (...given: readonly unknown[]) => unknown, this, args)
  }
}
