// Operations that must see one side from their beginning to their end, however many calls they make.
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Side } from '../phase/phases.js'
import type { PoolCoreOptions } from './pool-core-options.js'

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
  readonly #looking = new Set<() => void>()

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
      for (const look of this.#looking) look()
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

  /** Whether one is open whose calls cannot be told from others. */
  someUnmarked(side: Side): boolean {
    for (const pin of this.#open) if (pin.side === side && !pin.marked) return true
    return false
  }

  /** When one last began or ended. */
  get changedAt(): number {
    return this.#changedAt
  }

  /** Calls `look` whenever one has ended, until the function that it gives is called. */
  onEnd(look: () => void): () => void {
    this.#looking.add(look)
    return () => this.#looking.delete(look)
  }

  /** Resolves when every pin of a side that is not marked is over, and after `millis` at the latest. */
  async unmarkedOver(side: Side, millis: number): Promise<void> {
    if (!this.someUnmarked(side)) return
    await new Promise<void>((resolve) => {
      const finish = (): void => {
        clearTimeout(timer)
        stop()
        resolve()
      }
      const stop = this.onEnd(() => {
        if (!this.someUnmarked(side)) finish()
      })
      const timer = setTimeout(finish, millis)
    })
  }

  /** Says which side is being left, whoever is still open there: only a move that asked nobody comes to that. */
  leave(side: Side, { name, events }: Pick<PoolCoreOptions, 'name' | 'events'>): void {
    const count = this.count(side)
    if (count === 0) return
    const message = `${count} pinned operations were not over when the ${side} side had to be left; what they ask from now on is asked on the other one`
    events.publish('warning', { name, code: 'PINS_LEFT', message })
  }

  /** Makes promises as cheap again as they were, as soon as nothing needs the storage any more. */
  rest(): void {
    this.#resting = [...this.#open].some((pin) => pin.marked)
    if (this.#resting) return
    this.#context?.disable()
    this.#context = undefined
  }
}
