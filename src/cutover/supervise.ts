// Stops the parts of a service that have connections of their own before a hold, and starts them where the traffic then is.
import { CutoverError } from '../errors.js'
import type { CutoverEvents } from '../events.js'
import { readTable, type OptionTable } from '../options.js'
import type { Side } from '../phase/phases.js'
import type { PoolCore } from '../pool/pool-core.js'
import type { ResolvedOptions } from './read-options.js'
import { SupervisedPart, type Supervised, type SupervisedOptions } from './supervised-part.js'

export class Supervisor {
  readonly #core: PoolCore
  readonly #events: CutoverEvents
  readonly #name: string
  readonly #stopMillis: number
  readonly #parts = new Set<SupervisedPart>()
  /** Undefined from the preparation of a change of writer to the end of it. */
  #mayRunOn: Side | undefined
  #closed = false

  constructor(core: PoolCore, events: CutoverEvents, options: ResolvedOptions) {
    this.#core = core
    this.#events = events
    this.#name = options.name
    // The rest is for what else is prepared.
    this.#stopMillis = Math.ceil(options.timings.prepareTimeoutMillis / 2)
    core.guests.add(this)
    core.stopFirst.add(this.#stopAll)
    this.routeChanged()
  }

  // As a guest of the gate it has no connection: its parts have, and are stopped before anybody asks.
  readonly client = undefined
  readonly atWork = false

  get side(): Side {
    return this.#core.side
  }

  leave(): Promise<void> {
    return Promise.resolve()
  }

  async supervise(input: SupervisedOptions): Promise<Supervised> {
    const { name } = readTable(TABLE, input, 'supervise: ')
    this.#refuseClosed()
    // The options themselves, since start and stop may be methods.
    const part = new SupervisedPart(input, (what, error) => this.#warn(`"${name}" ${what}`, error))
    this.#parts.add(part)
    const started = part.started()
    if (this.#mayRunOn !== undefined) part.run(this.#mayRunOn)
    await started
    let closed: Promise<void> | undefined
    return {
      get side() {
        return part.side
      },
      close: () => (closed ??= part.close().finally(() => this.#parts.delete(part))),
    }
  }

  routeChanged(): void {
    const { state } = this.#core
    if (this.#closed) return
    if (state.kind === 'ended') return void this.close()
    if (state.kind !== 'direct') return
    this.#mayRunOn = state.side
    for (const part of this.#parts) part.run(state.side)
  }

  /** Stops every part for good, whatever becomes of it. Never rejects. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#core.guests.remove(this)
    this.#core.stopFirst.delete(this.#stopAll)
    const stopped = [...this.#parts].map((part) =>
      this.#inTime(part, part.close()).catch((error: unknown) => this.#warn('while ending', error)),
    )
    this.#parts.clear()
    await Promise.all(stopped)
  }

  readonly #stopAll = async (): Promise<void> => {
    this.#mayRunOn = undefined
    const stopped = [...this.#parts].map((part) => this.#inTime(part, part.stop()))
    for (const outcome of await Promise.allSettled(stopped))
      if (outcome.status === 'rejected') throw outcome.reason
  }

  #inTime(part: SupervisedPart, stopped: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const refuse = (why: string, cause?: unknown): void =>
        reject(
          new CutoverError('ERR_PREPARE', `the supervised part "${part.name}" ${why}`, {
            cause,
            details: { part: part.name },
          }),
        )
      const timer = setTimeout(
        () => refuse(`was not stopped within ${this.#stopMillis} ms`),
        this.#stopMillis,
      )
      stopped
        .then(resolve, (cause: unknown) => refuse(`could not be stopped: ${messageOf(cause)}`, cause))
        .finally(() => clearTimeout(timer))
    })
  }

  #warn(what: string, error: unknown): void {
    this.#events.publish('warning', {
      name: this.#name,
      code: 'SUPERVISE',
      message: `${what}: ${messageOf(error)}`,
    })
  }

  #refuseClosed(): void {
    if (this.#closed)
      throw new CutoverError('ERR_ENDED', `the migration "${this.#name}" was ended in this process`)
  }
}

const aFunction = {
  required: true,
  expected: 'a function',
  accepts: (value: unknown) => typeof value === 'function',
} as const

const TABLE: OptionTable<SupervisedOptions> = {
  name: {
    required: true,
    expected: 'a name that is not empty',
    accepts: (value) => typeof value === 'string' && value.trim() !== '',
  },
  start: aFunction,
  stop: aFunction,
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
