// Direct mode: this process follows its source alone, with a hold, a drain and a flip of its own.
import type { CutoverEvent, CutoverEvents } from '../events.js'
import { CutoverError } from '../errors.js'
import { otherSide, writerOf, type Phase, type Side, type Wish } from '../phase/phases.js'
import type { StateFile } from '../phase/state-file.js'
import type { PoolCore } from '../pool/pool-core.js'
import { serverIsQuiet } from '../pool/server-look.js'
import { busy, type Mode, type PhaseFrom } from './mode.js'
import type { ResolvedOptions } from './read-options.js'

const FIRST_RETRY_MILLIS = 1_000
const LONGEST_RETRY_MILLIS = 30_000

const NO_FENCE =
  'direct mode moves this process alone: other processes and clients may go on writing to the side that was left unless a fence stands there; use `control` for that'

export class DirectMode implements Mode {
  phase: Phase | undefined
  phaseFrom: PhaseFrom | undefined
  epoch = 0
  stateFile: StateFile | undefined
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
  /** A phase with the same writer is being written down. */
  #noting: Promise<unknown> | undefined

  constructor(core: PoolCore, events: CutoverEvents, options: ResolvedOptions, again: () => void) {
    this.#core = core
    this.#events = events
    this.#options = options
    this.#again = again
  }

  start(): Promise<void> {
    const { stateFile } = this.#options
    if (stateFile !== undefined) return this.#remember(stateFile)
    this.#fallBack()
    return Promise.resolve()
  }

  async #remember(path: string): Promise<void> {
    const { name } = this.#options
    const warn = (message: string): void =>
      this.#events.publish('warning', { name, code: 'STATE_FILE', message })
    // Loaded only here, since not every service has one.
    const { StateFile } = await import('../phase/state-file.js')
    const file = (this.stateFile = new StateFile(path, name, warn))
    const phase = await file.read()
    if (phase !== undefined) this.#serve(phase, 'stateFile')
    // A file that cannot be believed may have named the other side.
    else if (file.fault === undefined) this.#fallBack()
  }

  #fallBack(): void {
    if (this.#options.fallback !== undefined) this.#serve(this.#options.fallback, 'fallback')
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
        reads: 'flow',
        ended: () => Promise.resolve(this.#core.side),
      })
      return undefined
    }
    try {
      await this.#change(wish, 'source')
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
    const wished = this.#wished
    const event = await this.#change(phase, 'advance')
    // Else what the source wished for before would undo it; what it has said meanwhile is newer.
    if (this.#wished === wished) clearTimeout(this.#retry)
    return event
  }

  async #change(phase: Phase, from: PhaseFrom): Promise<CutoverEvent | undefined> {
    // Nobody is refused for the sake of a file.
    while (this.#noting) await this.#noting
    if (this.#closing.signal.aborted) throw ended()
    if (this.#moving) throw busy()
    if (this.phase === undefined || writerOf(this.phase) === writerOf(phase)) {
      await this.#stay(phase, from)
      return undefined
    }
    const flipped = this.#flip(phase, from)
    this.#moving = flipped.catch(() => {})
    try {
      return await flipped
    } finally {
      this.#moving = undefined
    }
  }

  /** Written first: a process that has served by a phase must not start by `fallback` afterwards. */
  async #stay(phase: Phase, from: PhaseFrom): Promise<void> {
    if (this.stateFile) {
      this.#noting = this.stateFile.store(phase)
      await this.#noting
      this.#noting = undefined
      if (this.#closing.signal.aborted) throw ended()
    }
    this.#serve(phase, from)
  }

  /** A flip that is under way is given up and taken back. */
  async close(): Promise<void> {
    this.#closing.abort()
    clearTimeout(this.#retry)
    await this.#moving
    await this.#noting
    await this.stateFile?.close()
  }

  #serve(phase: Phase, phaseFrom: PhaseFrom): void {
    this.#core.release(writerOf(phase))
    this.#rest(phase, phaseFrom)
  }

  #rest(phase: Phase, phaseFrom: PhaseFrom): void {
    const from = this.phase
    this.phase = phase
    this.phaseFrom = phaseFrom
    if (from !== phase) this.#events.publish('phase', { name: this.#options.name, from, to: phase })
  }

  async #flip(phase: Phase, from: PhaseFrom): Promise<CutoverEvent> {
    const { name, timings } = this.#options
    const core = this.#core
    const left: Side = core.side
    // A fallback is no knowledge.
    const remembered = this.phaseFrom === 'fallback' ? undefined : this.phase
    let noted = false
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
      await step('prepare', async () => {
        const { prepareTimeoutMillis } = timings
        await within(prepareTimeoutMillis, core.arm(undefined, performance.now() + prepareTimeoutMillis))
        if (this.#closing.signal.aborted) return
        // Before the flip and outside the pause: a process that dies in between has nothing under way, and starts where the
        // source wants it. The other order would have it start on the side that the fleet has left.
        noted = true
        await this.stateFile?.store(phase)
      })
      await step('hold', () =>
        core.hold({ millis: timings.holdTimeoutMillis, reads: 'flow', ended: () => Promise.resolve(left) }),
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
      if (noted) await this.stateFile?.store(remembered)
      throw error
    }
    const event = finish('done', opened)
    this.#rest(phase, from)
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
