// Operations that must see one side from their beginning to their end, however many calls they make.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Side } from '../phase/phases.js'

interface Pin {
  readonly side: Side
  /** Whether its calls can be told from others by their async context. */
  readonly marked: boolean
  over: boolean
}

export class Pins {
  readonly #open = new Set<Pin>()
  #context: AsyncLocalStorage<Pin> | undefined
  #changedAt = 0
  /** The storage is to go with the last pin that needs it. */
  #resting = false
  readonly #waiting = new Set<() => void>()

  /**
   * Runs `work` and counts it until what it gives is settled. A storage costs every promise of the process from its first
   * use on, so only pins that a hold may meet are `marked`.
   */
  async run<T>(side: Side, marked: boolean, work: (side: Side) => T | PromiseLike<T>): Promise<T> {
    const pin: Pin = { side, marked, over: false }
    this.#open.add(pin)
    this.#changedAt = performance.now()
    try {
      if (!marked) return await work(side)
      this.#resting = false
      this.#context ??= new AsyncLocalStorage()
      return await this.#context.run(pin, work, side)
    } finally {
      pin.over = true
      this.#open.delete(pin)
      this.#changedAt = performance.now()
      for (const look of this.#waiting) look()
      if (this.#resting) this.rest()
    }
  }

  /** The side of the pin that this call belongs to, as long as that pin is not over. */
  current(): Side | undefined {
    const pin = this.#context?.getStore()
    return pin === undefined || pin.over ? undefined : pin.side
  }

  count(side: Side): number {
    let count = 0
    for (const pin of this.#open) if (pin.side === side) count++
    return count
  }

  /** When one last began or ended. */
  get changedAt(): number {
    return this.#changedAt
  }

  /** Resolves when every pin that is not marked is over, and after `millis` at the latest. */
  async unmarkedOver(millis: number): Promise<void> {
    const some = (): boolean => [...this.#open].some((pin) => !pin.marked)
    if (!some()) return
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(look)
        resolve()
      }
      const look = (): void => {
        if (!some()) finish()
      }
      const timer = setTimeout(finish, millis)
      this.#waiting.add(look)
    })
  }

  /** Makes promises as cheap again as they were, as soon as nothing needs the storage any more. */
  rest(): void {
    this.#resting = [...this.#open].some((pin) => pin.marked)
    if (this.#resting) return
    this.#context?.disable()
    this.#context = undefined
  }
}
