// Goes through long lists in short slices, so that everything else in the process has its turn in between.
import { setImmediate as nextTurn } from 'node:timers/promises'

const SLICE_MILLIS = 2

export class Slices {
  #end = performance.now() + SLICE_MILLIS

  /** Calls `work` for each in turn; a list without rows is null. */
  async each<T>(list: readonly T[] | null, work: (one: T) => void): Promise<void> {
    for (const one of list ?? []) {
      work(one)
      if (performance.now() >= this.#end) await this.rest()
    }
  }

  /** Gives the rest of this turn away. */
  async rest(): Promise<void> {
    await nextTurn()
    this.#end = performance.now() + SLICE_MILLIS
  }

  get isOver(): boolean {
    return performance.now() >= this.#end
  }
}
