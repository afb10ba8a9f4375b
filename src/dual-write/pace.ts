// When the relay looks again: at once when woken, soon after the last change, seldom when nothing has happened for long.

// From how long ago the last change was, to the pause between two looks.
const PAUSES: readonly (readonly [millisSince: number, pauseMillis: number])[] = [
  [50, 1],
  [1_000, 5],
  [Infinity, 25],
]

export class Pace {
  #last = performance.now()
  #woken = false
  #ended = false
  /** Ends the pause that is under way; undefined where nobody may. */
  #rouse: (() => void) | undefined
  #end: (() => void) | undefined

  /** Something may have been written. */
  wake(): void {
    this.#woken = true
    this.#rouse?.()
  }

  /** Whether somebody has woken it since it was last asked. */
  takeWake(): boolean {
    const woken = this.#woken
    this.#woken = false
    return woken
  }

  /** A change was seen just now. */
  busy(): void {
    this.#last = performance.now()
  }

  /** Until the next look is due, or somebody wakes it. */
  async idle(): Promise<void> {
    const since = performance.now() - this.#last
    const [, pauseMillis] = PAUSES.find(([millis]) => since < millis) ?? [0, 25]
    if (!this.#woken) await this.#wait(pauseMillis, true)
  }

  /** For all of it, whoever wakes. */
  async pause(millis: number): Promise<void> {
    await this.#wait(millis, false)
  }

  /** No pause is made any more. */
  end(): void {
    this.#ended = true
    this.#end?.()
  }

  async #wait(millis: number, rousable: boolean): Promise<void> {
    if (this.#ended) return
    let timer: NodeJS.Timeout | undefined
    await new Promise<void>((resolve) => {
      timer = setTimeout(resolve, millis).unref()
      this.#end = resolve
      this.#rouse = rousable ? resolve : undefined
    })
    clearTimeout(timer)
    this.#rouse = this.#end = undefined
  }
}
