// Work on one side: waits while held, is waited for by the drain, and is given up when the whole is ended.
import type { Cutover } from '../../src/index.js'
import type { Instance, Instances } from './instances.js'
import { connectionEnded } from './native.js'

export class Leases {
  readonly #cutover: Cutover
  readonly #instances: Instances
  readonly #waiting = new Set<() => void>()
  #noneWaits: (() => void) | undefined
  #closed = false

  constructor(cutover: Cutover, instances: Instances) {
    this.#cutover = cutover
    this.#instances = instances
  }

  run<T>(work: (instance: Instance) => T | PromiseLike<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const giveUp = (): void => reject(connectionEnded(this.#instances.of('old').scope.options))
      if (this.#closed) return giveUp()
      this.#waiting.add(giveUp)
      const begun = (): boolean => {
        const waited = this.#waiting.delete(giveUp)
        if (this.#waiting.size === 0) this.#noneWaits?.()
        return waited
      }
      this.#cutover
        .pin(async (side) => {
          if (begun()) resolve(await this.#instances.use(side, work))
        })
        .catch((error: unknown) => {
          begun()
          reject(error)
        })
    })
  }

  /** Takes nothing new, and gives up after so many seconds what has not begun by then. */
  async close(seconds: number | null | undefined): Promise<void> {
    this.#closed = true
    if (this.#waiting.size > 0)
      await new Promise<void>((resolve) => {
        const timer = typeof seconds === 'number' ? setTimeout(resolve, seconds * 1_000) : undefined
        this.#noneWaits = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    for (const giveUp of this.#waiting) giveUp()
    this.#waiting.clear()
  }
}
