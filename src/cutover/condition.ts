// Waits for something to be true, looking again whenever something has changed.

export class Condition {
  readonly #looks = new Set<() => void>()

  until(isSo: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!isSo()) return
        this.#looks.delete(look)
        resolve()
      }
      this.#looks.add(look)
      look()
    })
  }

  changed(): void {
    for (const look of this.#looks) look()
  }
}
