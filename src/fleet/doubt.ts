// Keeps a process from serving when its confirmation has run out, and asks the side in use in every way there is.
import type { Run } from '../control/control-connection.js'
import { isCutoverError } from '../errors.js'
import type { Side } from '../phase/phases.js'
import type { InnerClient } from '../pool/pg-internals.js'
import type { PoolCore } from '../pool/pool-core.js'
import type { HeardThen } from './hearing.js'
import { CONFIRMED_MILLIS } from './words.js'

export interface DoubtOptions {
  readonly core: PoolCore
  readonly holdTimeoutMillis: number
  /** Whether the side in use may be served by. */
  readonly confirmed: () => boolean
  /** Asks over a connection of the pool. */
  readonly ask: (run: Run) => Promise<HeardThen>
  readonly heard: (side: Side, heard: HeardThen) => void
  /** The lease of the hold is over: where the right to write is, once it may be served by. */
  readonly settle: () => Promise<Side>
  /** Calls begin to wait. */
  readonly begun: () => void
}

/** Nobody listens there, or the server takes nobody. */
const REFUSED: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ENOENT', '57P03'])

/** Where the server was asked for this long without an answer, the pool's connections are tried. */
const IMPATIENT_MILLIS = 700
/** An answer that took as long confirms nothing. */
const ASK_MILLIS = CONFIRMED_MILLIS

export class Doubt {
  readonly #options: DoubtOptions
  /** The gate's state as this hold has made it: another one is somebody else's. */
  #held: unknown
  #asking = false
  /** With what the side in use has refused the last new connection that was tried. */
  #refusal: Error | undefined
  /** And nothing came over those of the pool, if there are any. */
  #poolRefused = false

  constructor(options: DoubtOptions) {
    this.#options = options
  }

  /** Nothing can be read on the side in use, so nothing old either. */
  get isDown(): boolean {
    const { core } = this.#options
    return this.#refusal !== undefined && (this.#poolRefused || core.inner.totalCount === 0)
  }

  /**
   * What becomes of a call: it goes on, it waits from this turn on, or it fails as the last connection did that was tried.
   * It is not sent to a side that is down, which may be back by then without having the right to write any more.
   */
  readonly verdict = (): 'passes' | 'waits' | Error => {
    if (this.#options.confirmed()) return 'passes'
    if (this.#refusal && this.isDown) return this.#refusal
    this.begin()
    return 'waits'
  }

  /** The confirmation has run out. */
  begin(): void {
    const { core, begun, confirmed } = this.#options
    if (confirmed() || this.isDown) return
    // Whoever holds goes on to hold, and what could be read until now waits too.
    if (core.state.kind === 'held') return void core.stopReads()
    if (!['direct', 'armed', 'releasing'].includes(core.state.kind)) return
    begun()
    this.#hold()
  }

  /** Somebody else's hold of the gate is over: calls go on if they may, or wait for the side in use from now on. */
  letGo(): void {
    const { core, confirmed } = this.#options
    if (confirmed() || this.isDown) core.release(core.side)
    else this.#hold()
  }

  #hold(): void {
    const { core, holdTimeoutMillis, settle } = this.#options
    core.hold({ millis: holdTimeoutMillis, reads: 'wait', ended: settle })
    this.#held = core.state
    this.askPool()
  }

  /** The side in use has confirmed this process. */
  end(): void {
    const { core } = this.#options
    const isOurs = this.#held !== undefined && core.state === this.#held
    this.forget()
    if (isOurs) core.release(core.side)
  }

  forget(): void {
    this.#held = undefined
    this.#refusal = undefined
    this.#poolRefused = false
  }

  /** The side in use could not be asked over the control connection. */
  failed(error: unknown): void {
    this.#refusal = refusalIn(error)
    if (this.isDown) return this.#giveWay()
    this.askPool()
    this.begin()
  }

  /** Asks over the pool too where this takes long, and there is a need to. */
  impatient<T>(asked: Promise<T>, isNeeded: () => boolean): Promise<T> {
    const timer = setTimeout(() => isNeeded() && this.askPool(), IMPATIENT_MILLIS).unref()
    return asked.finally(() => clearTimeout(timer))
  }

  /** Asks over a connection of the pool, unless that is being tried already. */
  askPool(): void {
    if (this.#asking) return
    const { core } = this.#options
    // There is no connection to ask by, and a new one would fare as that of the control connection did.
    if (this.#refusal && core.inner.totalCount === 0) return
    this.#asking = true
    void this.#ask(core.side).finally(() => {
      this.#asking = false
    })
  }

  async #ask(side: Side): Promise<void> {
    const { core, ask, heard } = this.#options
    let client: InnerClient | undefined
    let failure: unknown
    try {
      client = await core.pools[side].inner.connect()
      heard(side, await inTime(ask(runOn(client))))
    } catch (error) {
      failure = error
    }
    // A statement that failed leaves the connection as good as it was; one that has lost its server takes it along.
    client?.release(failure instanceof Error && !('code' in failure && typeof failure.code === 'string'))
    this.#poolRefused = client === undefined && refusalIn(failure) !== undefined
    if (this.isDown) this.#giveWay()
  }

  #giveWay(): void {
    const { core } = this.#options
    const isOurs = this.#held !== undefined && core.state === this.#held
    this.#held = undefined
    if (isOurs) core.release(core.side)
  }
}

/** A connection that stalls would be out for ever, and keep every drain and the end of the pool waiting. */
async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('the server has not answered in time')), ASK_MILLIS).unref()
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

const runOn =
  (client: InnerClient): Run =>
  async (text, values) =>
    (await client.query(text, values && [...values])).rows as never[]

function refusalIn(error: unknown): Error | undefined {
  const cause = isCutoverError(error, 'ERR_UNREACHABLE') ? error.cause : error
  return cause instanceof Error && 'code' in cause && REFUSED.has(cause.code) ? cause : undefined
}
