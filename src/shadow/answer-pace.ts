// Gives everything else a turn while a large answer is worked through.
import { performance } from 'node:perf_hooks'

const SLICE_MILLIS = 1
/** Looking at the clock costs a tenth of a row. */
const ROWS_A_LOOK = 32

export class Pace {
  #rows = 0
  #since = performance.now()

  /** To be asked once a row. */
  isDue(): boolean {
    return ++this.#rows % ROWS_A_LOOK === 0 && performance.now() - this.#since >= SLICE_MILLIS
  }

  async turn(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
    this.#since = performance.now()
  }
}
