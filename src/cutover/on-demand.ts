// What few services need of a migration: loaded, and begun, when it is first asked for.
import { CutoverError } from '../errors.js'
import type { CutoverEvents } from '../events.js'
import { readTable, type OptionTable } from '../options.js'
import { PHASES, type Phase } from '../phase/phases.js'
import type { Afterwards } from '../pool/awaiting-route.js'
import type { PoolCore } from '../pool/pool-core.js'
import type { AppliedMirror } from '../dual-write/await-applied.js'
import type { Applied } from './applied.js'
import type { PinOptions, Work } from './cutover.js'
import type { Listener, Listening } from './listener.js'
import type { Listeners } from './listen.js'
import type { ResolvedOptions } from './read-options.js'
import type { Supervised, SupervisedOptions } from './supervised-part.js'
import type { Supervisor } from './supervise.js'

const PIN: OptionTable<PinOptions> = {
  await: {
    default: undefined,
    expected: `'applied', or to be left out`,
    accepts: (value) => value === 'applied',
  },
}

export class OnDemand {
  readonly #core: PoolCore
  readonly #events: CutoverEvents
  readonly #options: ResolvedOptions
  readonly #mirror: () => AppliedMirror | undefined
  #listeners: Promise<Listeners> | undefined
  #supervisor: Promise<Supervisor> | undefined
  #applied: Applied | undefined
  #closed = false

  constructor(
    core: PoolCore,
    events: CutoverEvents,
    options: ResolvedOptions,
    mirror: () => AppliedMirror | undefined,
  ) {
    this.#core = core
    this.#events = events
    this.#options = options
    this.#mirror = mirror
    // From the first call on, whose answer comes when the phase is known.
    if (this.#awaits) core.inFront.await(this.#afterwards)
  }

  /** What has to be there before any phase is known. */
  async load(): Promise<void> {
    if (this.#options.mirror !== 'dual-write') return
    const { Applied } = await import('./applied.js')
    this.#applied = new Applied(this.#core, this.#options.dualWrite.awaitTimeoutMillis, this.#mirror)
  }

  /** In the same turn: from a phase without a mirror on, no call pays for one. */
  rest(phase: Phase): void {
    if (this.#closed) return
    this.#applied?.rest(phase)
    const mirrored = PHASES[phase].mirroredTo !== undefined
    if (this.#awaits) this.#core.inFront.await(mirrored ? this.#afterwards : undefined)
  }

  async pin<T>(given: PinOptions | Work<T>, work: Work<T> | undefined): Promise<T> {
    const [options, pinned] = typeof given === 'object' ? [given, work] : [{}, given]
    if (typeof pinned !== 'function')
      throw new CutoverError('ERR_OPTION', `pin: work is of type ${typeof pinned}; expected a function`)
    const applied = readTable(PIN, options, 'pin: ').await === 'applied'
    const { mirror } = this.#options
    if (applied && mirror !== 'dual-write')
      throw new CutoverError(
        'ERR_OPTION',
        `pin: await is "applied" and mirror is "${mirror}"; expected mirror: 'dual-write', since no other mirror can be waited for`,
      )
    const result = await this.#core.admission.pin(pinned)
    // The pin is over: a change of writer does not wait for the other side.
    if (applied) await this.#applied?.wait(result)
    return result
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
    // Before the mirror goes, after which nobody could tell what has arrived.
    this.#applied?.close()
    await (await this.#supervisor)?.close()
  }

  async close(): Promise<void> {
    await this.stopParts()
    await (await this.#listeners)?.close()
  }

  get #awaits(): boolean {
    return this.#options.mirror === 'dual-write' && this.#options.dualWrite.await === 'applied'
  }

  readonly #afterwards: Afterwards = {
    mayHaveWritten: (given, result) => this.#applied?.mayHaveWritten(given, result) ?? false,
    wait: (result, client) => this.#applied?.wait(result, client),
    lease: (client) => this.#applied?.lease(client),
  }

  #refuseClosed(): void {
    if (this.#closed)
      throw new CutoverError('ERR_ENDED', `the migration "${this.#options.name}" was ended in this process`)
  }
}
