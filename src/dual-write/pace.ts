// When the relay looks again: at once when woken, soon after the last change, seldom when nothing has happened for long.

/** Of the time since the last change, so that what comes seldom is not looked for a thousand times a second. */
const SHARE = 0.1
const LEAST_MILLIS = 1
const MOST_MILLIS = 25

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
    const pauseMillis = Math.min(MOST_MILLIS, Math.max(LEAST_MILLIS, since * SHARE))
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
