// The route in front of the others that looks at the clock: no call is answered by a side that may have been left.
import type { Guard, Route } from '../pool/route.js'
import type { Confirmation } from './confirmation.js'

class ConfirmedRoute implements Route {
  readonly #plain: Route
  readonly #gated: Route
  readonly #confirmation: Confirmation
  readonly #passes: () => boolean

  constructor(plain: Route, gated: Route, confirmation: Confirmation, passes: () => boolean) {
    this.#plain = plain
    this.#gated = gated
    this.#confirmation = confirmation
    this.#passes = passes
  }

  query(text: unknown, values: unknown, callback: unknown): unknown {
    return this.#way().query(text, values, callback)
  }

  connect(callback: unknown): unknown {
    return this.#way().connect(callback)
  }

  #way(): Route {
    return performance.now() < this.#confirmation.until || this.#passes() ? this.#plain : this.#gated
  }
}

/** `passes` is asked where the confirmation has run out, and has new work wait if it says no. */
export const confirmedRoutes = (
  confirmation: Confirmation,
  passes: () => boolean,
  atRest: boolean,
): Guard => ({
  atRest,
  route: (plain, gated) => new ConfirmedRoute(plain, gated, confirmation, passes),
})
