// How a line moves on: the clock that its calls' timeouts run on, and how many of them start at once after a hold.

/** Milliseconds that do not pass during a hold, since the hold is our doing and not the pool's. */
export class PoolClock {
  #stoppedAt: number | undefined
  #standing = 0

  now(): number {
    return (this.#stoppedAt ?? performance.now()) - this.#standing
  }

  stop(): void {
    this.#stoppedAt ??= performance.now()
  }

  start(): void {
    if (this.#stoppedAt === undefined) return
    this.#standing += performance.now() - this.#stoppedAt
    this.#stoppedAt = undefined
  }
}

// Dozens of sessions of a server that has just been opened would all be cold at once, and the first answer would come
// when nearly all are done. By answers it doubles with each round trip; by time too, so that calls which keep their
// clients for long cannot stop it. With two the first answer after a change of writer came a millisecond earlier than with
// four, and the longest call no later.
const AT_ONCE = 2

/** Lets a release begin with few calls at once and grow, so that the first of them do not wait for all the others. */
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
