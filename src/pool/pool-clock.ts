// The clock that callers' acquire timeouts run on: it stands still while the pool is held.

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
