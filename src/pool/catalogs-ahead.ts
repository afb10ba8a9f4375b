// Learns the catalogs of the side in use long before any move, which then has to see only what has changed since.
import type { Side } from '../phase/phases.js'
import type { CoreState } from './gate-state.js'
import type { PoolCoreOptions } from './pool-core-options.js'
import type { ReadLane } from './read-lane.js'
import type { SidePool } from './side-pool.js'

// Nobody waits for it but a process that has nothing more to do.
const LONGEST_MILLIS = 60_000

/** Of a lane that nobody gives a call. */
const IDLE = { mayStart: () => false, started: () => {}, failed: () => {}, back: () => {} }

interface CatalogsView {
  readonly state: CoreState
  readonly side: Side
  readonly pools: Readonly<Record<Side, SidePool>>
}

export class CatalogsAhead {
  readonly #view: CatalogsView
  readonly #texts: PoolCoreOptions['texts']
  #learning: Promise<void> | undefined
  #lane: ReadLane | undefined

  constructor(view: CatalogsView, texts: PoolCoreOptions['texts']) {
    this.#view = view
    this.#texts = texts
  }

  /** Begins, unless it is under way. Never throws: the next move tries again, and says so where it fails. */
  learn(): void {
    this.#learning ??= this.#learn()
      .catch(() => {})
      .then(() => this.#lane?.end())
      .finally(() => (this.#lane = this.#learning = undefined))
  }

  async end(): Promise<void> {
    void this.#lane?.end()
    await this.#learning
  }

  async #learn(): Promise<void> {
    const [{ ReadLane }, { within }, statements] = await Promise.all([
      import('./read-lane.js'),
      import('./within.js'),
      this.#texts.load(),
    ])
    const { state, side, pools } = this.#view
    if (state.kind === 'ended') return
    const lane = new ReadLane(pools[side], 1, IDLE)
    this.#lane = lane
    await within(LONGEST_MILLIS, lane.open(1, statements), 'the catalogs were not read')
  }
}
