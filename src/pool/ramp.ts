// Lets a release begin with few calls at once and grow, so that the first of them do not wait for all the others.

// Dozens of sessions of a server that has just been opened would all be cold at once, and the first answer would come
// when nearly all are done. By answers it doubles with each round trip; by time too, so that calls which keep their
// clients for long cannot stop it.
const AT_ONCE = 4

export class Ramp {
  #begun: number | undefined
  #started = 0

  begin(): void {
    this.#begun = performance.now()
    this.#started = 0
  }

  end(): void {
    this.#begun = undefined
  }

  started(): void {
    this.#started++
  }

  /** How many calls may be in flight now. */
  limit(inFlight: number): number {
    if (this.#begun === undefined) return Infinity
    const answered = Math.max(0, this.#started - inFlight)
    return AT_ONCE + answered + (performance.now() - this.#begun)
  }
}
