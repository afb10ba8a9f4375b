// Looks again and again: at leisure by itself, at once where somebody has reason to, never twice at the same time.

export class Looking {
  readonly #look: () => Promise<void>
  readonly #pause: () => number
  #running: Promise<void> | undefined
  #again = false
  #timer: NodeJS.Timeout | undefined
  #closed = false

  /** `look` must not reject; `pause` is asked after each, for milliseconds. Keeps no process alive. */
  constructor(look: () => Promise<void>, pause: () => number) {
    this.#look = look
    this.#pause = pause
  }

  /** Begins a look at once, or as soon as the present one is over: what that has read may be older than this call. */
  now(): void {
    if (this.#closed) return
    this.#again = true
    clearTimeout(this.#timer)
    this.#running ??= this.#run()
  }

  /** Has the pause begin anew, as long as it is now. */
  reset(): void {
    if (!this.#running) this.#wait()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#running
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false
      await this.#look()
    }
    this.#running = undefined
    this.#wait()
  }

  #wait(): void {
    clearTimeout(this.#timer)
    if (!this.#closed) this.#timer = setTimeout(() => this.now(), this.#pause()).unref()
  }
}
