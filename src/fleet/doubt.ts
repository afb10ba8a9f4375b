// Keeps a process from serving when its confirmation has run out, and asks the side in use in every way there is.
import type { Run } from '../control/control-connection.js'
import { isCutoverError } from '../errors.js'
import type { Side } from '../phase/phases.js'
import type { InnerClient } from '../pool/pg-internals.js'
import type { PoolCore } from '../pool/pool-core.js'
import type { HeardThen } from './hearing.js'

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

export class Doubt {
  readonly #options: DoubtOptions
  /** The gate's state as this hold has made it: another one is somebody else's. */
  #held: unknown
  #asking = false
  /** The side in use takes no new connection, by the last that was tried. */
  #refused = false
  /** And nothing came over those of the pool, if there are any. */
  #poolRefused = false

  constructor(options: DoubtOptions) {
    this.#options = options
  }

  /** Nothing can be read on the side in use, so nothing old either. Calls then fail as they do without us. */
  get isDown(): boolean {
    const { core } = this.#options
    return this.#refused && (this.#poolRefused || core.inner.totalCount === 0)
  }

  /** Whether a call may go on to the side in use; if not, it waits from this turn on. */
  readonly passes = (): boolean => {
    if (this.#options.confirmed() || this.isDown) return true
    this.begin()
    return false
  }

  /** The confirmation has run out. */
  begin(): void {
    const { core, holdTimeoutMillis, begun, settle, confirmed } = this.#options
    if (confirmed() || this.isDown) return
    // Whoever holds goes on to hold, and what could be read until now waits too.
    if (core.state.kind === 'held') return void core.stopReads()
    if (!['direct', 'armed', 'releasing'].includes(core.state.kind)) return
    begun()
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
    this.#refused = this.#poolRefused = false
  }

  /** The side in use could not be asked over the control connection. */
  failed(error: unknown): void {
    this.#refused = isRefusal(error)
    if (this.isDown) return this.#giveWay()
    this.askPool()
    this.begin()
  }

  /** Asks over a connection of the pool, unless that is being tried already. */
  askPool(): void {
    if (this.#asking) return
    const { core } = this.#options
    // There is no connection to ask by, and a new one would fare as that of the control connection did.
    if (this.#refused && core.inner.totalCount === 0) return
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
      heard(side, await ask(runOn(client)))
    } catch (error) {
      failure = error
    }
    // A statement that failed leaves the connection as good as it was; one that has lost its server takes it along.
    client?.release(failure instanceof Error && !('code' in failure && typeof failure.code === 'string'))
    this.#poolRefused = client === undefined && isRefusal(failure)
    if (this.isDown) this.#giveWay()
  }

  #giveWay(): void {
    const { core } = this.#options
    const isOurs = this.#held !== undefined && core.state === this.#held
    this.#held = undefined
    if (isOurs) core.release(core.side)
  }
}

const runOn =
  (client: InnerClient): Run =>
  async (text, values) =>
    (await client.query(text, values && [...values])).rows as never[]

function isRefusal(error: unknown): boolean {
  const cause = isCutoverError(error, 'ERR_UNREACHABLE') ? error.cause : error
  return cause instanceof Error && 'code' in cause && REFUSED.has(cause.code)
}
