// A clock that stands still while the cutover holds calls, so that a hold does not use up the time that callers were given.
import type { Cutover } from '../../src/index.js'

const clocks = new WeakMap<Cutover, HoldClock>()

/** One for all Knex instances over a cutover, which hears of it for as long as the cutover lives. */
export function holdClock(cutover: Cutover): HoldClock {
  const known = clocks.get(cutover)
  if (known) return known
  const made = new HoldClock(cutover)
  clocks.set(cutover, made)
  return made
}

export class HoldClock {
  #stoodStill = 0
  #stoppedAt: number | undefined
  #waiting: (() => void)[] = []

  constructor(cutover: Cutover) {
    this.#turn(cutover.status().route)
    cutover.on('route', ({ route }) => this.#turn(route))
  }

  /** Milliseconds that have counted. */
  now(): number {
    return (this.#stoppedAt ?? performance.now()) - this.#stoodStill
  }

  get stopped(): boolean {
    return this.#stoppedAt !== undefined
  }

  /** Calls back when it goes on. */
  onceRunning(callback: () => void): void {
    this.#waiting.push(callback)
  }

  // Before the first phase is known calls wait as they do in a hold.
  #turn(route: string): void {
    const stop = route === 'held' || route === 'unknown'
    if (stop === this.stopped) return
    if (stop) {
      this.#stoppedAt = performance.now()
      return
    }
    this.#stoodStill += performance.now() - (this.#stoppedAt ?? 0)
    this.#stoppedAt = undefined
    const waiting = this.#waiting
    this.#waiting = []
    for (const callback of waiting) callback()
  }
}
