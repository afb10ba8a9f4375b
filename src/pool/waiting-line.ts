// Lets queued calls have their clients: in order, within free slots, in short slices, and each within its own timeout.
import { AsyncResource } from 'node:async_hooks'
import { HoldQueue, type Acquisition } from './hold-queue.js'
import type { AcquireCallback } from './pg-internals.js'
import { PoolClock } from './pool-clock.js'
import type { SidePool } from './side-pool.js'

// Longer, and a release of thousands would be felt by everything else in the process.
const SLICE_MILLIS = 2

/** What the line may do now: wait, or move to a pool. */
export interface LineGoal {
  readonly pool: SidePool
  /** True once calls may be handed to pg-pool's own queue, slot or no slot. */
  readonly overflow: boolean
}

export class WaitingLine {
  readonly queue = new HoldQueue()
  readonly clock = new PoolClock()
  readonly #goal: () => LineGoal | undefined
  readonly #emptied: () => void
  #pumping = false
  #sliceEnd = 0
  #expiry: NodeJS.Timeout | undefined
  // A held call must not be dropped because nothing else keeps the process alive.
  #keepAlive: NodeJS.Timeout | undefined

  /** `goal` is asked before each call is started; undefined while nothing may move. */
  constructor(goal: () => LineGoal | undefined, emptied: () => void) {
    this.#goal = goal
    this.#emptied = emptied
  }

  /** Whether calls may be started at all now. */
  get isMoving(): boolean {
    return this.#goal() !== undefined
  }

  /** Queues a call. The error of an expired one is pg-pool's own. */
  append(
    callback: AcquireCallback,
    kind: Acquisition['kind'],
    timeoutMillis: number | undefined,
  ): Acquisition {
    const entry: Acquisition = {
      callback,
      kind,
      resource: new AsyncResource('pg-cutover.acquire'),
      queuedAt: performance.now(),
      due: timeoutMillis ? this.clock.now() + timeoutMillis : Infinity,
      out: false,
      previous: undefined,
      next: undefined,
    }
    this.queue.append(entry)
    this.watch()
    return entry
  }

  /** Starts one call on a pool, at once. */
  start(entry: Acquisition, pool: SidePool): void {
    if (!this.queue.take(entry)) return
    pool.inner.connect((error, client, release) => {
      // A failed connect emits nothing that would move the line on.
      if (error) this.pumpSoon()
      entry.resource.runInAsyncScope(entry.callback, undefined, error, client, release)
    })
  }

  /** Fails everything that waits, each in its own turn. */
  reject(reason: () => Error): void {
    for (let entry = this.queue.head; entry; entry = this.queue.head) this.#fail(entry, reason())
    this.watch()
  }

  /** Moves what may move now. */
  pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    try {
      for (let entry = this.queue.head; entry; entry = this.queue.head) {
        const goal = this.#goal()
        if (!goal || (!goal.overflow && !goal.pool.hasSlot)) break
        if (!this.#withinSlice()) {
          setImmediate(() => this.pump())
          break
        }
        this.start(entry, goal.pool)
      }
    } finally {
      this.#pumping = false
    }
    this.watch()
    if (this.queue.length === 0) this.#emptied()
  }

  /** For events of pg-pool that come before the change they tell of. */
  readonly pumpSoon = (): void => {
    if (this.queue.length > 0 || this.#goal()) process.nextTick(() => this.pump())
  }

  /** Sets the timers that the line needs now; call it after a change of route. */
  watch(): void {
    clearTimeout(this.#expiry)
    this.#expiry = undefined
    const { head } = this.queue
    if (!head) {
      clearInterval(this.#keepAlive)
      this.#keepAlive = undefined
      return
    }
    this.#keepAlive ??= setInterval(() => {}, 2 ** 30)
    // The same timeout for all, so the head is the first that is due. During a hold the clock stands still.
    if (head.due !== Infinity && this.#goal()) {
      const left = Math.max(0, head.due - this.clock.now())
      this.#expiry = setTimeout(() => this.#expire(), left)
    }
  }

  #expire(): void {
    const now = this.clock.now()
    for (let entry = this.queue.head; entry && entry.due <= now; entry = this.queue.head) {
      this.#fail(entry, new Error('timeout exceeded when trying to connect'))
    }
    this.watch()
    if (this.queue.length === 0) this.#emptied()
  }

  #fail(entry: Acquisition, error: Error): void {
    if (!this.queue.take(entry)) return
    process.nextTick(() =>
      entry.resource.runInAsyncScope(entry.callback, undefined, error, undefined, () => {}),
    )
  }

  #withinSlice(): boolean {
    const now = performance.now()
    if (this.#sliceEnd === 0) {
      this.#sliceEnd = now + SLICE_MILLIS
      setImmediate(() => {
        this.#sliceEnd = 0
      })
    }
    return now < this.#sliceEnd
  }
}
