// Lets somebody wait for what may become so whenever a member has heard something.

export class News {
  readonly #waiting = new Set<() => void>()

  /** Resolves when it is so, and at the latest after this time. */
  until(isSo: () => boolean, millis: number): Promise<void> {
    return new Promise((resolve) => {
      const finish = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        resolve()
      }
      const look = (): void => {
        if (isSo()) finish()
      }
      const timer = setTimeout(finish, millis).unref()
      this.#waiting.add(look)
      look()
    })
  }

  heard(): void {
    for (const look of this.#waiting) look()
  }
}
