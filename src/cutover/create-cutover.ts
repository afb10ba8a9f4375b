// createCutover: wires one migration in one process, and owns the lifetimes of everything in it.
import type pg from 'pg'
import { CutoverError, isCutoverError } from '../errors.js'
import { CutoverEvents, type CutoverEvent, type EventMap } from '../events.js'
import { follow, type Follower } from '../phase/follow.js'
import type { Phase, Wish } from '../phase/phases.js'
import type { AdvanceOptions, Cutover, PinOptions, Work } from './cutover.js'
import type { CutoverOptions } from './options.js'
import type { Sampler } from '../phase/source.js'
import { cutoverPool } from '../pool/cutover-pool.js'
import { PoolCore } from '../pool/pool-core.js'
import type { Listener, Listening } from './listener.js'
import { KnownTexts } from '../reads/known-texts.js'
import { OnDemand } from './on-demand.js'
import { readOptions, type ResolvedOptions } from './read-options.js'
import { Shadowing } from './shadowing.js'
import type { CoordinatedMode } from './coordinated-mode.js'
import type { Mode } from './mode.js'
import { readStatus, type Status } from './status.js'
import { owned, takeGiven } from './take-given.js'
import type { Supervised, SupervisedOptions } from './supervised-part.js'

// Then calls are refused in place of waiting, until a phase comes.
const READY_TIMEOUT_MILLIS = 5_000

/**
 * Makes the facade of one migration. Opens nothing by itself but what the source needs; see {@link CutoverOptions}.
 * Throws `ERR_OPTION` for options that are unknown, missing or out of range.
 */
export function createCutover(input: CutoverOptions): Cutover {
  return new LiveCutover(readOptions(input))
}

class LiveCutover extends CutoverEvents implements Cutover {
  readonly name: string
  readonly pool: pg.Pool
  readonly #core: PoolCore
  #mode: Mode | undefined
  #coordinated: CoordinatedMode | undefined
  readonly shadow: Shadowing
  readonly #follower: Follower
  readonly #options: ResolvedOptions
  readonly #onDemand: OnDemand
  #stopSampling: (() => void) | undefined
  readonly #started: Promise<void>
  readonly #ready: Promise<void>
  #ended: Promise<void> | undefined

  constructor(options: ResolvedOptions) {
    super()
    this.name = options.name
    this.#options = options
    const { pools, sampler } = takeGiven(options)
    const core = new PoolCore({
      name: options.name,
      pools,
      events: this,
      texts: new KnownTexts(),
      heldReadsMax: options.heldReadsMax,
      onFence: options.control && (() => this.#coordinated?.afterFence()),
    })
    this.#core = core
    this.pool = cutoverPool(this.#core)
    this.#onDemand = new OnDemand(core, this, options, () => this.#coordinated?.relay)
    this.shadow = new Shadowing({
      options,
      core,
      events: this,
      sampler,
      control: () => this.#coordinated?.control,
    })
    if (sampler) void this.#sample(sampler)
    this.#started = this.#start()
    this.#follower = follow(options.source, {
      name: options.name,
      events: this,
      onWish: async (wish) => {
        await this.#begun()
        try {
          if (wish !== 'hold') await this.shadow.assertEqual(this.phase, wish)
        } catch (refusal) {
          // Each word of the source ends its hold, also one that is refused.
          if (this.phase !== undefined && this.#core.state.kind === 'held')
            await this.#mode?.follow(this.phase)
          throw refusal
        }
        return this.#mode?.follow(wish)
      },
      undone: (wish) => this.#undone(wish),
    })
    this.#ready = this.#knowPhase()
    // Told by ready(); an application that never asks must not die of it.
    this.#ready.catch(() => {
      if (!this.#ended) this.#core.refuse()
    })
  }

  get phase(): Phase | undefined {
    return this.#mode?.phase
  }

  /** Also what this class itself has to hear, whoever removes all listeners. */
  override publish<K extends keyof EventMap>(event: K, message: EventMap[K][0]): void {
    super.publish(event, message)
    if (event !== 'phase' || this.phase === undefined) return
    this.shadow.rest(this.phase)
    this.#onDemand.rest(this.phase)
  }

  ready(): Promise<void> {
    return this.phase === undefined ? this.#ready : Promise.resolve()
  }

  status(): Status {
    return readStatus(this.#options, this.#core, this.#mode, this.#follower, this.shadow)
  }

  createPool(...given: readonly unknown[]): pg.Pool {
    this.#refuseEnded()
    // As of a pg.Pool, they would be without effect here.
    if (given[0] !== undefined)
      throw new CutoverError(
        'ERR_OPTION',
        `createPool: got an argument of type ${typeof given[0]}; expected none, since addresses and sizes are those of \`old\` and \`new\` of createCutover()`,
      )
    return cutoverPool(this.#core)
  }

  get Client(): typeof pg.Client {
    return this.#core.clients.Client
  }

  pin<T>(given: PinOptions | Work<T>, work?: Work<T>): Promise<T> {
    return this.#onDemand.pin(given, work)
  }

  listen(channel: string, listener: Listener): Promise<Listening> {
    return this.#onDemand.listen(channel, listener)
  }

  supervise(part: SupervisedOptions): Promise<Supervised> {
    return this.#onDemand.supervise(part)
  }

  flowsWhileHeld(text: string): boolean {
    return this.#core.flows(text)
  }

  async advance(phase: Phase, options: AdvanceOptions = {}): Promise<CutoverEvent | undefined> {
    this.#refuseEnded()
    const { lastWish } = this.#follower
    await this.#begun()
    if (options.despite !== 'mismatches') await this.shadow.assertEqual(this.phase, phase)
    const event = await this.#mode?.change(phase)
    // What was wished meanwhile is newer than this.
    if (this.#follower.lastWish === lastWish) this.#follower.overruled()
    return event
  }

  async rollback(): Promise<CutoverEvent | undefined> {
    const { phase } = this
    if (phase !== 'live' && phase !== 'rampdown') {
      throw new CutoverError(
        'ERR_PHASE_ILLEGAL',
        `rollback leads from "live" or "rampdown" to "shadow"; the phase is ${phase === undefined ? 'unknown' : `"${phase}"`}`,
      )
    }
    return this.advance('shadow')
  }

  #refuseEnded(): void {
    if (this.#ended || this.#core.state.kind === 'ended')
      throw new CutoverError('ERR_ENDED', `the migration "${this.name}" was ended in this process`)
  }

  end(): Promise<void> {
    return (this.#ended ??= this.#end())
  }

  /** Loaded only here, since few sources measure. */
  async #sample(sampler: Sampler): Promise<void> {
    const { sampleTraffic } = await import('./sampling.js')
    if (!this.#ended)
      this.#stopSampling = sampleTraffic(this.#core, sampler, { ...this.#options, events: this })
  }

  async #start(): Promise<void> {
    const again = (): void => this.#follower.again()
    await this.#onDemand.load()
    // Each is loaded only here, since nobody needs both.
    if (this.#options.control) {
      const { CoordinatedMode } = await import('./coordinated-mode.js')
      this.#mode = this.#coordinated = new CoordinatedMode(this.#core, this, this.#options, again)
    } else {
      const { DirectMode } = await import('./direct-mode.js')
      this.#mode = new DirectMode(this.#core, this, this.#options, again)
    }
    await this.#mode.start()
  }

  /** Rejects with the reason why nothing can be moved yet; a mode that could not begin at first may have begun since. */
  async #begun(): Promise<void> {
    try {
      await this.#started
    } catch (cause) {
      if (this.phase === undefined) throw cause
    }
  }

  async #knowPhase(): Promise<void> {
    await this.#started
    if (this.phase !== undefined) return
    const silence = await this.#follower.firstWish(READY_TIMEOUT_MILLIS).then(
      () => undefined,
      (cause: unknown) => cause,
    )
    if (silence !== undefined && !isCutoverError(silence, 'ERR_PHASE_UNKNOWN')) throw silence
    await this.#follower.settled()
    if (this.phase !== undefined) return
    const why = silence?.message ?? `no phase is known: ${this.#follower.whyNot ?? 'nothing was wished'}`
    const fault = this.#mode?.stateFile?.fault
    throw new CutoverError('ERR_PHASE_UNKNOWN', fault === undefined ? why : `${why}; ${fault}`)
  }

  /** Why what the source wished for, and got, is not so any more. */
  #undone(wish: Wish): string | undefined {
    if (wish === 'hold')
      return this.#core.state.kind === 'held'
        ? undefined
        : 'the hold has ended, since none outlives `holdTimeoutMillis`; it is held again when the source has said something else in between'
    return wish === this.phase
      ? undefined
      : `the phase is "${this.phase}" by other means than the source, such as advance() or another process; the source is followed again when it says something else`
  }

  async #end(): Promise<void> {
    this.#stopSampling?.()
    const followed = this.#follower.close()
    await this.#onDemand.stopParts()
    await this.shadow.close()
    await this.#started.catch(() => {})
    // A wish that is being done ends with the mode.
    await this.#mode?.close()
    await followed
    await this.#onDemand.close()
    await this.#core.end(false)
    const { source, pools } = this.#options
    for (const taken of [source, pools.old, pools.new]) owned.delete(taken)
  }
}
