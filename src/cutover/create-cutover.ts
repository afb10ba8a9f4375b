// createCutover: wires one migration in one process, and owns the lifetimes of everything in it.
import type { EventEmitter } from 'node:events'
import pg from 'pg'
import { CutoverError, isCutoverError } from '../errors.js'
import { CutoverEvents, type CutoverEvent, type EventMap } from '../events.js'
import { follow, type Follower } from '../phase/follow.js'
import type { Phase, Side, Wish } from '../phase/phases.js'
import type { CutoverOptions } from './options.js'
import { cutoverPool } from '../pool/cutover-pool.js'
import { innerPool } from '../pool/pg-internals.js'
import { PoolCore } from '../pool/pool-core.js'
import type { PoolCoreOptions } from '../pool/pool-core-options.js'
import { readOptions, type ResolvedOptions } from './read-options.js'
import { readSampler, sampleTraffic } from './sampling.js'
import type { CoordinatedMode } from './coordinated-mode.js'
import { DirectMode } from './direct-mode.js'
import type { Mode } from './mode.js'
import { readStatus, type Status } from './status.js'

// Then calls are refused in place of waiting, until a phase comes.
const READY_TIMEOUT_MILLIS = 5_000

/** One migration in one process. Its events are those of {@link EventMap}. */
export interface Cutover extends EventEmitter<EventMap> {
  readonly name: string
  /** A real `pg.Pool`: use it in place of the application's own. Calls before the phase is known wait for it. */
  readonly pool: pg.Pool
  /** The phase that this process serves by; undefined while none is known. */
  readonly phase: Phase | undefined
  /**
   * Resolves when the phase is known, at once if it is by now. Rejects with `ERR_PHASE_UNKNOWN`, after which calls of the
   * pool are refused until a phase comes; in coordinated mode with the reason why the databases' own rows could not be
   * read. They are read again until they can be, at least every 10 s, and then the calls are served.
   */
  ready(): Promise<void>
  status(): Status
  /**
   * Moves to a phase and, where the writer changes, runs the cutover. Resolves when this process serves by it, with the
   * event of the cutover if there was one. Rejects with the reason, and then everything is as it was before, but for
   * `ERR_OPEN_PENDING` and `ERR_IN_DOUBT`, which `recover` or the next look at the rows ends. A way back that could not be
   * made is a `warning` event with the code `ERR_REVERSE`.
   */
  advance(phase: Phase): Promise<CutoverEvent | undefined>
  /** Gives the right to write back to the side it was taken from: from `live` or `rampdown` to `shadow`. */
  rollback(): Promise<CutoverEvent | undefined>
  /**
   * Stops following, ends the pool and closes every connection of the migration. Pools that were handed in stay open.
   * Nothing about the migration is changed in the databases. Idempotent.
   */
  end(): Promise<void>
}

// Two cores over one pool would never drain for each other's work, and a source speaks to the last who listens.
const owned = new WeakSet<object>()

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
  readonly #follower: Follower
  readonly #options: ResolvedOptions
  readonly #stopSampling: (() => void) | undefined
  readonly #started: Promise<void>
  readonly #ready: Promise<void>
  #ended: Promise<void> | undefined

  constructor(options: ResolvedOptions) {
    super()
    this.name = options.name
    this.#options = options
    // Before the pools are taken, since it may be refused.
    const sampler = readSampler(options.source)
    if (owned.has(options.source))
      throw new CutoverError(
        'ERR_OPTION',
        `createCutover: the source "${options.source.name}" already belongs to another migration; expected one for each`,
      )
    const pools = takePools(options)
    owned.add(options.source)
    const core = new PoolCore({
      name: options.name,
      pools,
      events: this,
      isOnePlainStatement: (text) => this.#coordinated?.isOnePlainStatement(text) ?? false,
      onFence: options.control && (() => this.#coordinated?.afterFence()),
    })
    this.#core = core
    this.pool = cutoverPool(this.#core)
    this.#stopSampling = sampler && sampleTraffic(core, sampler, { ...options, events: this })
    this.#started = this.#start()
    this.#follower = follow(options.source, {
      name: options.name,
      events: this,
      onWish: async (wish) => {
        await this.#begun()
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

  ready(): Promise<void> {
    return this.phase === undefined ? this.#ready : Promise.resolve()
  }

  status(): Status {
    return readStatus(this.#options, this.#core, this.#mode, this.#follower)
  }

  async advance(phase: Phase): Promise<CutoverEvent | undefined> {
    if (this.#ended)
      throw new CutoverError('ERR_ENDED', `the migration "${this.name}" was ended in this process`)
    const { lastWish } = this.#follower
    await this.#begun()
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

  end(): Promise<void> {
    return (this.#ended ??= this.#end())
  }

  async #start(): Promise<void> {
    const again = (): void => this.#follower.again()
    if (this.#options.control) {
      // Loaded only here, since a service in direct mode needs none of it.
      const { CoordinatedMode } = await import('./coordinated-mode.js')
      this.#mode = this.#coordinated = new CoordinatedMode(this.#core, this, this.#options, again)
    } else {
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
    await this.#started.catch(() => {})
    // A wish that is being done ends with the mode.
    await this.#mode?.close()
    await followed
    await this.#core.end(false)
    const { source, pools } = this.#options
    for (const taken of [source, pools.old, pools.new]) owned.delete(taken)
  }
}

function takePools(options: ResolvedOptions): PoolCoreOptions['pools'] {
  const taken = { old: takePool(options, 'old'), new: takePool(options, 'new') }
  // Only now that neither was refused.
  for (const given of Object.values(options.pools)) if (given instanceof pg.Pool) owned.add(given)
  return taken
}

function takePool(options: ResolvedOptions, side: Side): PoolCoreOptions['pools'][Side] {
  const given = options.pools[side]
  if (!(given instanceof pg.Pool)) return { inner: innerPool(new pg.Pool(given)), handedIn: false }
  const fault = owned.has(given)
    ? 'already belongs to another migration'
    : given.ending
      ? 'was ended; pass an open one'
      : undefined
  if (fault !== undefined)
    throw new CutoverError('ERR_OPTION', `createCutover: the pool given as ${side} ${fault}`)
  return { inner: innerPool(given), handedIn: true }
}
