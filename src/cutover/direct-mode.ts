// Direct mode: this process follows its source alone, with a hold, a drain and a flip of its own.
import type { CutoverEvent, CutoverEvents } from '../events.js'
import { CutoverError } from '../errors.js'
import { otherSide, writerOf, type Phase, type Side, type Wish } from '../phase/phases.js'
import type { PoolCore } from '../pool/pool-core.js'
import { serverIsQuiet } from '../pool/server-look.js'
import type { Mode } from './mode.js'
import type { ResolvedOptions } from '../read-options.js'

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
  #retry: NodeJS.Timeout | undefined
  #moving = false

  constructor(core: PoolCore, events: CutoverEvents, options: ResolvedOptions) {
    this.#core = core
    this.#events = events
    this.#options = options
  }

  start(): Promise<void> {
    if (this.#options.fallback !== undefined) this.#serve(this.#options.fallback)
    return Promise.resolve()
  }

  async follow(wish: Wish): Promise<string | undefined> {
    clearTimeout(this.#retry)
    if (wish === 'hold') {
      if (this.phase === undefined)
        throw new CutoverError('ERR_PHASE_UNKNOWN', 'there is no phase yet to hold at')
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
      // Other processes may have gone already, so this one keeps trying for as long as the wish stands.
      this.#tryAgain(wish, FIRST_RETRY_MILLIS)
      return `${error instanceof Error ? error.message : String(error)}; it is tried again`
    }
  }

  async change(phase: Phase): Promise<CutoverEvent | undefined> {
    if (this.#moving) throw new CutoverError('ERR_BUSY', 'a change of phase is running in this process')
    clearTimeout(this.#retry)
    if (this.phase === undefined || writerOf(this.phase) === writerOf(phase)) {
      this.#serve(phase)
      return undefined
    }
    this.#moving = true
    try {
      return await this.#flip(phase)
    } finally {
      this.#moving = false
    }
  }

  close(): Promise<void> {
    clearTimeout(this.#retry)
    return Promise.resolve()
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
        await work()
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
      await step('prepare', () => core.arm())
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

  #tryAgain(wish: Phase, afterMillis: number): void {
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => {
      this.change(wish).catch(() => this.#tryAgain(wish, Math.min(2 * afterMillis, LONGEST_RETRY_MILLIS)))
    }, afterMillis).unref()
  }
}
