// One part of the application that is started and stopped: never twice at once, and never started twice without a stop.
import { AsyncResource } from 'node:async_hooks'
import { CutoverError } from '../errors.js'
import type { Side } from '../phase/phases.js'

/** A part of the service that has connections or workers of its own, such as a job queue. */
export interface SupervisedOptions {
  /** Names it in warnings and in errors. */
  readonly name: string
  /**
   * Starts the part, which is to work on `side`. Called once a phase is known, and again after each stop. One that rejects
   * has to leave nothing running: it is called again, ever more seldom, and each time is a `warning` event with the code
   * `SUPERVISE`.
   */
  start(side: Side): unknown
  /**
   * Stops it: when this has resolved, nothing of the part is under way any more. Called before each change of writer that
   * this process makes, with half of `prepareTimeoutMillis` to be done. One that rejects or is later refuses the change
   * with `ERR_PREPARE`; then, or once it is done, the part is started again.
   */
  stop(side: Side): unknown
}

/** A part that is started and stopped with the moves of its process. */
export interface Supervised {
  /** The side that it runs on now; undefined while it is stopped, being started or being stopped. */
  readonly side: Side | undefined
  /** Stops the part for good. Rejects as its `stop` does. Idempotent. */
  close(): Promise<void>
}

type PartState =
  | { readonly kind: 'stopped' }
  | { readonly kind: 'starting' | 'running' | 'stopping'; readonly side: Side }

const FIRST_PAUSE_MILLIS = 250
const LONGEST_PAUSE_MILLIS = 10_000

interface Waiting {
  readonly resolve: () => void
  readonly reject: (why: unknown) => void
}

export class SupervisedPart {
  readonly #options: SupervisedOptions
  readonly #failed: (what: string, error: unknown) => void
  // Whoever moves the process is none of its business.
  readonly #context = new AsyncResource('pg-cutover.supervise')
  #state: PartState = { kind: 'stopped' }
  #wanted: Side | undefined
  #closed = false
  #working = false
  #failures = 0
  #endPause: () => void = () => {}
  #forStop: Waiting[] = []
  #forStart: Waiting[] = []

  constructor(options: SupervisedOptions, failed: (what: string, error: unknown) => void) {
    this.#options = options
    this.#failed = failed
  }

  get name(): string {
    return this.#options.name
  }

  /** The side that it runs on. */
  get side(): Side | undefined {
    return this.#state.kind === 'running' ? this.#state.side : undefined
  }

  run(side: Side): void {
    if (this.#closed) return
    // Whoever wanted it stopped has given up.
    for (const { reject } of this.#forStop.splice(0)) reject(new Error('the change of writer was given up'))
    this.#want(side)
  }

  /** Resolves when it is stopped. Rejects as its `stop` does, and where it is to run again before that. */
  stop(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#forStop.push({ resolve, reject })
      this.#want(undefined)
    })
  }

  /** As {@link stop}, for good. */
  close(): Promise<void> {
    this.#closed = true
    return this.stop()
  }

  /** Resolves when it runs for the first time; rejects where it is closed before. */
  started(): Promise<void> {
    return new Promise((resolve, reject) => this.#forStart.push({ resolve, reject }))
  }

  #want(side: Side | undefined): void {
    this.#wanted = side
    this.#endPause()
    if (this.#working) return
    this.#working = true
    // In a turn of its own: the route is being swapped.
    queueMicrotask(() => void this.#context.runInAsyncScope(() => this.#work()))
  }

  async #work(): Promise<void> {
    for (;;) {
      const wanted = this.#wanted
      const at = this.#state.kind === 'stopped' ? undefined : this.#state.side
      if (at !== undefined && at !== wanted) await this.#stopAt(at)
      else if (wanted !== undefined && at === undefined) await this.#startAt(wanted)
      else break
    }
    this.#working = false
    if (this.#state.kind !== 'stopped') return
    for (const { resolve } of this.#forStop.splice(0)) resolve()
    if (this.#closed)
      for (const { reject } of this.#forStart.splice(0))
        reject(new CutoverError('ERR_ENDED', `"${this.name}" was ended before it was started`))
  }

  async #startAt(side: Side): Promise<void> {
    this.#state = { kind: 'starting', side }
    try {
      await this.#options.start(side)
      this.#state = { kind: 'running', side }
      this.#failures = 0
      for (const { resolve } of this.#forStart.splice(0)) resolve()
    } catch (error) {
      this.#state = { kind: 'stopped' }
      this.#failed(`could not be started on the ${side} side, and is tried again`, error)
      if (this.#wanted !== undefined) await this.#pause()
    }
  }

  async #stopAt(side: Side): Promise<void> {
    this.#state = { kind: 'stopping', side }
    try {
      await this.#options.stop(side)
      this.#state = { kind: 'stopped' }
    } catch (error) {
      // It was told, and there is nothing better to tell it.
      this.#state = { kind: 'stopped' }
      const waiting = this.#forStop.splice(0)
      for (const { reject } of waiting) reject(error)
      if (waiting.length === 0) this.#failed(`could not be stopped on the ${side} side`, error)
    }
  }

  /** Ends at once when something else is wanted. Keeps the process alive: the part has to come. */
  #pause(): Promise<void> {
    const whole = Math.min(FIRST_PAUSE_MILLIS * 2 ** this.#failures++, LONGEST_PAUSE_MILLIS)
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, whole * (0.5 + Math.random() / 2))
      this.#endPause = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
