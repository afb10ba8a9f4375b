// Ends a hold in the process itself when its lease is over, whoever asked for it and whatever became of them.
import type { Side } from '../phase/phases.js'
import type { HoldLease } from './gate.js'

// After a hold that could not be resolved, new calls wait this long before the next try.
const RETRY_MILLIS = 1_000

export class LeaseTimer {
  readonly #release: (side: Side) => void
  readonly #giveUp: (cause: unknown) => void
  #timer: NodeJS.Timeout | undefined
  #current: HoldLease | undefined

  /** `giveUp` is told when the lease's own way out failed; it is tried again for as long as the lease runs. */
  constructor(release: (side: Side) => void, giveUp: (cause: unknown) => void) {
    this.#release = release
    this.#giveUp = giveUp
  }

  start(lease: HoldLease, millis = lease.millis): void {
    this.stop()
    this.#current = lease
    // Not referenced: while something waits the line keeps the process alive, otherwise nobody needs the lease.
    this.#timer = setTimeout(() => void this.#over(lease), millis).unref()
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#current = undefined
  }

  async #over(lease: HoldLease): Promise<void> {
    try {
      const side = await lease.ended()
      if (this.#current === lease) this.#release(side)
    } catch (cause) {
      if (this.#current !== lease) return
      this.#giveUp(cause)
      this.start(lease, RETRY_MILLIS)
    }
  }
}
