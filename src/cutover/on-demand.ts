// What few services need of a migration: loaded, and begun, when it is first asked for.
import { CutoverError } from '../errors.js'
import type { CutoverEvents } from '../events.js'
import type { PoolCore } from '../pool/pool-core.js'
import type { Listener, Listening } from './listener.js'
import type { Listeners } from './listen.js'
import type { ResolvedOptions } from './read-options.js'
import type { Supervised, SupervisedOptions } from './supervised-part.js'
import type { Supervisor } from './supervise.js'

export class OnDemand {
  readonly #core: PoolCore
  readonly #events: CutoverEvents
  readonly #options: ResolvedOptions
  #listeners: Promise<Listeners> | undefined
  #supervisor: Promise<Supervisor> | undefined
  #closed = false

  constructor(core: PoolCore, events: CutoverEvents, options: ResolvedOptions) {
    this.#core = core
    this.#events = events
    this.#options = options
  }

  async listen(channel: string, listener: Listener): Promise<Listening> {
    this.#refuseClosed()
    this.#listeners ??= import('./listen.js').then(
      ({ Listeners }) => new Listeners(this.#core, this.#events, this.#options),
    )
    return (await this.#listeners).listen(channel, listener)
  }

  async supervise(part: SupervisedOptions): Promise<Supervised> {
    this.#refuseClosed()
    this.#supervisor ??= import('./supervise.js').then(
      ({ Supervisor }) => new Supervisor(this.#core, this.#events, this.#options),
    )
    return (await this.#supervisor).supervise(part)
  }

  /** Stops the parts that are supervised, while there is a pool that they can still use. Never rejects. */
  async stopParts(): Promise<void> {
    this.#closed = true
    await (await this.#supervisor)?.close()
  }

  async close(): Promise<void> {
    await this.stopParts()
    await (await this.#listeners)?.close()
  }

  #refuseClosed(): void {
    if (this.#closed)
      throw new CutoverError('ERR_ENDED', `the migration "${this.#options.name}" was ended in this process`)
  }
}
