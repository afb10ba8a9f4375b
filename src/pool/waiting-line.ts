// Lets queued calls have their clients: in order, within free slots, in short slices, and each within its own timeout.
import { AsyncResource } from 'node:async_hooks'
import { HoldQueue, type Acquisition } from './hold-queue.js'
import { PoolClock, Ramp } from './line-pace.js'
import type { AcquireCallback, InnerClient } from './pg-internals.js'
import type { SidePool } from './side-pool.js'

// Longer, and a release of thousands would be felt by everything else in the process.
const SLICE_MILLIS = 2

/** What the line may do now: wait, or move to a pool. */
export interface LineGoal {
  readonly pool: SidePool
  /** True while draining: only what leases wait for may move. */
  readonly nestedOnly: boolean
  /** True once calls may be handed to pg-pool's own queue, slot or no slot. */
  readonly overflow: boolean
}

export interface LineHooks {
  /** Asked before each call is started; undefined while nothing may move. */
  goal(): LineGoal | undefined
  /** Nothing waits any more. */
  emptied(): void
  /** So many calls more wait. */
  queued(count: number): void
  /** A client is about to be given to a call of known descent. */
  handedOut(client: InnerClient, within: InnerClient | null): void
}

export class WaitingLine {
  readonly queue = new HoldQueue()
  /** Calls from inside leases that found no free slot while draining. */
  readonly nested = new HoldQueue()
  readonly clock = new PoolClock()
  /** Begun by a release, ended when nothing waits any more. */
  readonly ramp = new Ramp()
  readonly #hooks: LineHooks
  #pumping = false
  #sliceEnd = 0
  #sliceAsked = false
  #expiry: NodeJS.Timeout | undefined
  #climb: NodeJS.Timeout | undefined
  // A held call must not be dropped because nothing else keeps the process alive.
  #keepAlive: NodeJS.Timeout | undefined

  constructor(hooks: LineHooks) {
    this.#hooks = hooks
  }

  get length(): number {
    return this.queue.length + this.nested.length
  }

  /** Whether calls may be started in turn now. */
  get isMoving(): boolean {
    return this.#hooks.goal()?.nestedOnly === false
  }

  /** A call that is not in the line yet. The error of one that expires there is pg-pool's own. */
  entry(
    callback: AcquireCallback,
    given: Pick<Acquisition, 'perhapsNested' | 'nested' | 'within' | 'clientless' | 'own'>,
    timeoutMillis: number | undefined,
  ): Acquisition {
    return {
      ...given,
      callback,
      resource: new AsyncResource('pg-cutover.acquire'),
      queuedAt: performance.now(),
      due: timeoutMillis ? this.clock.now() + timeoutMillis : Infinity,
      read: undefined,
      queue: undefined,
      previous: undefined,
      next: undefined,
    }
  }

  append(entry: Acquisition): void {
    const queue = entry.nested ? this.nested : this.queue
    queue.append(entry)
    this.#hooks.queued(1)
    this.watch()
  }

  /** Lets a call that was started before wait once more, in front of all, with what is left of its time. */
  prepend(entry: Acquisition): void {
    this.queue.prepend(entry)
    this.#hooks.queued(1)
    this.pumpSoon()
  }

  /** Lets calls wait that were to have been started elsewhere, where they would be had they waited from the first. */
  takeIn(others: HoldQueue): void {
    if (others.length === 0) return
    this.#hooks.queued(others.length)
    this.queue.takeIn(others)
    this.watch()
    this.pumpSoon()
  }

  /** Starts one call on a pool, at once. */
  start(entry: Acquisition, pool: SidePool): void {
    entry.queue?.remove(entry)
    if (entry.clientless) {
      entry.resource.runInAsyncScope(entry.callback, undefined, undefined, undefined, () => {})
      return
    }
    this.ramp.started()
    // Without a slot pg-pool lets it wait, and would give it its whole time once more.
    const waits = entry.due !== Infinity && !pool.hasSlot
    pool.connect(waits ? entry.due - this.clock.now() : undefined, (error, client, release) => {
      // A failed connect emits nothing that would move the line on.
      if (error) this.pumpSoon()
      if (client && entry.within !== undefined) this.#hooks.handedOut(client, entry.within)
      entry.resource.runInAsyncScope(entry.callback, undefined, error, client, release)
    })
  }

  /** Fails everything that waits, each in its own turn. */
  reject(reason: () => Error): void {
    for (const queue of [this.nested, this.queue])
      for (let entry = queue.head; entry; entry = queue.head) this.fail(entry, reason())
    this.watch()
  }

  /** Moves what may move now. */
  pump(): void {
    if (this.#pumping) return
    this.#pumping = true
    try {
      for (let next = this.#next(); next; next = this.#next()) {
        if (!this.#withinSlice()) {
          // One is enough, however often it is asked for in a turn.
          if (!this.#sliceAsked) setImmediate(() => this.#pumpNextSlice())
          this.#sliceAsked = true
          break
        }
        this.start(next.entry, next.pool)
      }
    } finally {
      this.#pumping = false
    }
    this.watch()
    if (this.length === 0) this.#emptied()
  }

  /** For events of pg-pool that come before the change they tell of. */
  readonly pumpSoon = (): void => {
    if (this.length > 0 || this.isMoving) process.nextTick(() => this.pump())
  }

  /** Sets the timers that the line needs now; call it after a change of route. */
  watch(): void {
    clearTimeout(this.#expiry)
    this.#expiry = undefined
    if (this.length === 0) {
      clearInterval(this.#keepAlive)
      this.#keepAlive = undefined
      return
    }
    this.#keepAlive ??= setInterval(() => {}, 2 ** 30)
    // The same timeout for all, so the head is the first that is due. During a hold the clock stands still.
    const { head } = this.queue
    if (head && head.due !== Infinity && this.isMoving) {
      const left = Math.max(0, head.due - this.clock.now())
      this.#expiry = setTimeout(() => this.#expire(), left)
    }
  }

  #expire(): void {
    const now = this.clock.now()
    for (let entry = this.queue.head; entry && entry.due <= now; entry = this.queue.head) {
      this.fail(entry, new Error('timeout exceeded when trying to connect'))
    }
    this.watch()
    if (this.length === 0) this.#emptied()
  }

  #emptied(): void {
    this.ramp.end()
    clearTimeout(this.#climb)
    this.#climb = undefined
    this.#hooks.emptied()
  }

  /** Gives one call up, in a turn of its own. */
  fail(entry: Acquisition, error: Error): void {
    entry.queue?.remove(entry)
    process.nextTick(() =>
      entry.resource.runInAsyncScope(entry.callback, undefined, error, undefined, () => {}),
    )
  }

  /** The call that may be started now, and where. */
  #next(): { readonly entry: Acquisition; readonly pool: SidePool } | undefined {
    const goal = this.#hooks.goal()
    if (!goal) return undefined
    const { pool, nestedOnly, overflow } = goal
    const nested = this.nested.head
    const entry = nested ?? (nestedOnly ? undefined : this.queue.head)
    const regardless = overflow || (nested !== undefined && !nestedOnly)
    if (!entry) return undefined
    if (entry.clientless) return { entry, pool }
    if (!(regardless || pool.hasSlot)) return undefined
    if (nestedOnly || pool.inFlight < this.ramp.limit(pool.inFlight)) return { entry, pool }
    this.#climb ??= setTimeout(() => {
      this.#climb = undefined
      this.pump()
    }, 1)
    return undefined
  }

  #pumpNextSlice(): void {
    this.#sliceAsked = false
    this.pump()
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
