// Direct mode: this process follows its source alone, with a hold, a drain and a flip of its own.
import type { CutoverEvent, CutoverEvents } from '../events.js'
import { CutoverError } from '../errors.js'
import { otherSide, writerOf, type Phase, type Side, type Wish } from '../phase/phases.js'
import type { PoolCore } from '../pool/pool-core.js'
import { serverIsQuiet } from '../pool/server-look.js'
import { busy, type Mode } from './mode.js'
import type { ResolvedOptions } from './read-options.js'

const FIRST_RETRY_MILLIS = 1_000
const LONGEST_RETRY_MILLIS = 30_000

const NO_FENCE =
  'direct mode moves this process alone: other processes and clients may go on writing to the side that was left unless a fence stands there; use `control` for that'

export class DirectMode implements Mode {
  phase: Phase | undefined
  epoch = 0
  readonly #core: PoolCore
  readonly #events: CutoverEvents
  readonly #options: ResolvedOptions
  /** Has the source's last wish followed once more. */
  readonly #again: () => void
  readonly #closing = new AbortController()
  #retry: NodeJS.Timeout | undefined
  #retryMillis = FIRST_RETRY_MILLIS
  #wished: Wish | undefined
  #moving: Promise<unknown> | undefined

  constructor(core: PoolCore, events: CutoverEvents, options: ResolvedOptions, again: () => void) {
    this.#core = core
    this.#events = events
    this.#options = options
    this.#again = again
  }

  start(): Promise<void> {
    if (this.#options.fallback !== undefined) this.#serve(this.#options.fallback)
    return Promise.resolve()
  }

  async follow(wish: Wish): Promise<string | undefined> {
    clearTimeout(this.#retry)
    if (wish !== this.#wished) this.#retryMillis = FIRST_RETRY_MILLIS
    this.#wished = wish
    if (wish === 'hold') {
      if (this.phase === undefined)
        throw new CutoverError('ERR_PHASE_UNKNOWN', 'there is no phase yet to hold at')
      if (this.#moving) throw busy()
      this.#core.hold({
        millis: this.#options.timings.holdTimeoutMillis,
        ended: () => Promise.resolve(this.#core.side),
      })
      return undefined
    }
    try {
      await this.change(wish)
      return undefined
    } catch (error) {
      if (this.#closing.signal.aborted) throw error
      // Other processes may have gone already, so this one keeps trying for as long as the wish stands.
      this.#retry = setTimeout(this.#again, this.#retryMillis).unref()
      this.#retryMillis = Math.min(2 * this.#retryMillis, LONGEST_RETRY_MILLIS)
      return `${error instanceof Error ? error.message : String(error)}; it is tried again`
    }
  }

  async change(phase: Phase): Promise<CutoverEvent | undefined> {
    if (this.#closing.signal.aborted) throw ended()
    if (this.#moving) throw busy()
    clearTimeout(this.#retry)
    if (this.phase === undefined || writerOf(this.phase) === writerOf(phase)) {
      this.#serve(phase)
      return undefined
    }
    const flipped = this.#flip(phase)
    this.#moving = flipped.catch(() => {})
    try {
      return await flipped
    } finally {
      this.#moving = undefined
    }
  }

  /** A flip that is under way is given up and taken back. */
  async close(): Promise<void> {
    this.#closing.abort()
    clearTimeout(this.#retry)
    await this.#moving
  }

  #serve(phase: Phase): void {
    this.#core.release(writerOf(phase))
    this.#rest(phase)
  }

  #rest(phase: Phase): void {
    const from = this.phase
    this.phase = phase
    if (from !== phase) this.#events.publish('phase', { name: this.#options.name, from, to: phase })
  }

  async #flip(phase: Phase): Promise<CutoverEvent> {
    const { name, timings } = this.#options
    const core = this.#core
    const left: Side = core.side
    const opened = otherSide(left)
    const direction = left === 'old' ? 'old→new' : 'new→old'
    const epoch = ++this.epoch
    const steps: Record<string, number> = {}
    const step = async (label: string, work: () => unknown): Promise<void> => {
      const started = performance.now()
      const tell = (state: 'done' | 'failed'): void => {
        const millis = (steps[label] = performance.now() - started)
        this.#events.publish('step', { name, epoch, direction, step: label, state, millis })
      }
      this.#events.publish('step', { name, epoch, direction, step: label, state: 'started' })
      try {
        await this.#unlessClosing(work())
      } catch (error) {
        tell('failed')
        throw error
      }
      tell('done')
    }
    const finish = (outcome: 'done' | 'aborted', side: Side, reason?: string): CutoverEvent => {
      const { longestHeldMillis, pauseMillis } = core.release(side)
      const event: CutoverEvent = {
        name,
        epoch,
        direction,
        outcome,
        pauseMillis,
        longestHeldMillis,
        steps,
        ...(reason === undefined ? {} : { reason }),
      }
      this.#events.publish('cutover', event)
      return event
    }

    this.#events.publish('warning', { name, code: 'NO_FENCE', message: NO_FENCE })
    try {
      await step('prepare', () => within(timings.prepareTimeoutMillis, core.arm()))
      await step('hold', () =>
        core.hold({ millis: timings.holdTimeoutMillis, ended: () => Promise.resolve(left) }),
      )
      await step('drain', async () => {
        const deadline = performance.now() + timings.drainTimeoutMillis
        await core.drain(timings.drainTimeoutMillis)
        await serverIsQuiet(core.pools[left], Math.max(1, deadline - performance.now()))
      })
      // The lease may have ended while the server was asked.
      if (core.state.kind !== 'held' || !core.state.shut)
        throw new CutoverError('ERR_HOLD_TIMEOUT', 'the hold ended before the flip')
    } catch (error) {
      finish('aborted', left, error instanceof Error ? error.message : String(error))
      throw error
    }
    const event = finish('done', opened)
    this.#rest(phase)
    void core.sweep(left)
    return event
  }

  #unlessClosing(work: unknown): Promise<unknown> {
    const { signal } = this.#closing
    return new Promise((resolve, reject) => {
      const closed = (): void => reject(ended())
      if (signal.aborted) closed()
      signal.addEventListener('abort', closed)
      Promise.resolve(work)
        .then(resolve, reject)
        .finally(() => signal.removeEventListener('abort', closed))
    })
  }
}

/** What could not be opened in time may still be opened later, for nothing. */
function within(millis: number, opened: Promise<void>): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = (): void =>
      reject(new CutoverError('ERR_PREPARE', `the other side's connections were not open after ${millis} ms`))
    const timer = setTimeout(late, millis)
    opened.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

const ended = (): CutoverError => new CutoverError('ERR_ENDED', 'the migration was ended in this process')
