// The route in front of the others that looks at the clock: no call is answered by a side that may have been left.
import { ClosedRoute, type Guard, type Route } from '../pool/route.js'
import type { Confirmation } from './confirmation.js'

type Verdict = () => 'passes' | 'waits' | Error

class ConfirmedRoute implements Route {
  readonly #plain: Route
  readonly #gated: Route
  readonly #confirmation: Confirmation
  readonly #verdict: Verdict

  constructor(plain: Route, gated: Route, confirmation: Confirmation, verdict: Verdict) {
    this.#plain = plain
    this.#gated = gated
    this.#confirmation = confirmation
    this.#verdict = verdict
  }

  query(text: unknown, values: unknown, callback: unknown): unknown {
    return this.#way().query(text, values, callback)
  }

  connect(callback: unknown): unknown {
    return this.#way().connect(callback)
  }

  #way(): Route {
    if (performance.now() < this.#confirmation.until) return this.#plain
    const verdict = this.#verdict()
    if (verdict instanceof Error) return new ClosedRoute(() => verdict)
    return verdict === 'passes' ? this.#plain : this.#gated
  }
}

/** `verdict` is asked where the confirmation has run out. */
export const confirmedRoutes = (confirmation: Confirmation, verdict: Verdict, atRest: boolean): Guard => ({
  atRest,
  route: (plain, gated) => new ConfirmedRoute(plain, gated, confirmation, verdict),
})
