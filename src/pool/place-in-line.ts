// The one place that a client has in the line of all, however many of its statements wait behind it.
import type { Acquisition } from './hold-queue.js'
import type { InnerClient } from './pg-internals.js'
import type { PoolCore } from './pool-core.js'

export class PlaceInLine {
  readonly #core: PoolCore
  #entry: Acquisition | undefined

  constructor(core: PoolCore) {
    this.#core = core
  }

  get isTaken(): boolean {
    return this.#entry !== undefined
  }

  /** Asks to be let through, perhaps in this very turn. */
  take(own: InnerClient, answered: (error: Error | undefined) => void): void {
    let over = false
    const entry = this.#core.admission.enter((error) => {
      over = true
      this.#entry = undefined
      answered(error)
    }, own)
    if (!over) this.#entry = entry
  }

  leave(): void {
    if (this.#entry === undefined) return
    this.#entry.queue?.remove(this.#entry)
    this.#entry = undefined
    this.#core.line.watch()
  }
}
