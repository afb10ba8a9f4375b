// Has callers wait until the other side has what they have written, and the relay told at once of what this process writes.
import { AwaitedLeases } from '../pool/awaited-leases.js'
import type { Afterwards } from '../pool/awaiting-route.js'
import type { InnerClient } from '../pool/pg-internals.js'
import type { PoolCore } from '../pool/pool-core.js'
import { WriteWatch } from '../pool/write-watch.js'
import { AppliedWaiter, type AppliedMirror } from '../dual-write/await-applied.js'
import { PHASES, type Phase, type Side } from '../phase/phases.js'

// By the first word that the server names. None of these has written a row; of a COMMIT that is said by what was before it.
const WRITES_NOTHING: ReadonlySet<unknown> = new Set(
  `BEGIN START COMMIT ROLLBACK SAVEPOINT RELEASE SET SHOW RESET DISCARD
   LISTEN UNLISTEN NOTIFY PREPARE DEALLOCATE DECLARE CLOSE LOCK`.split(/\s+/),
)

// The server calls it a COMMIT, and nothing was said of it before.
const COMMIT_PREPARED = /^\s*commit\s+prepared\b/i

export class Applied implements Afterwards {
  readonly #core: PoolCore
  readonly #mirror: () => AppliedMirror | undefined
  readonly #waiter: AppliedWaiter
  #leases: AwaitedLeases | undefined
  #watched: { readonly side: Side; readonly watch: WriteWatch } | undefined

  constructor(core: PoolCore, timeoutMillis: number, mirror: () => AppliedMirror | undefined) {
    this.#core = core
    this.#mirror = mirror
    this.#waiter = new AppliedWaiter(mirror, timeoutMillis)
  }

  /** In a phase without a mirror nothing of this is in anybody's way. */
  rest(phase: Phase): void {
    const { mirroredTo, writes } = PHASES[phase]
    if (mirroredTo === undefined) return this.#leave()
    if (this.#watched?.side === writes) return
    this.#watched?.watch.stop()
    const watch = new WriteWatch(this.#core.pools[writes], () => this.#mirror()?.wake())
    this.#watched = { side: writes, watch }
  }

  mayHaveWritten(given: unknown, result: unknown): boolean {
    const results: readonly unknown[] = Array.isArray(result) ? result : [result]
    const doubtful = results.some(
      (one) => !WRITES_NOTHING.has((Object(one) as { command?: unknown }).command),
    )
    const said = typeof given === 'string' ? given : (Object(given) as { text?: unknown }).text
    if (typeof said !== 'string') return doubtful
    return doubtful ? !this.#core.texts.isRead(said, this.#core.side) : COMMIT_PREPARED.test(said)
  }

  wait(result: unknown, client?: InnerClient): Promise<void> | undefined {
    const waiting = this.#waiter.wait(result)
    if (waiting === undefined) return undefined
    const goOn = this.#core.turns.wait(client)
    return waiting.then(goOn, (error: unknown) => {
      goOn()
      throw error
    })
  }

  lease(client: InnerClient): void {
    this.#leases ??= new AwaitedLeases(this.#core.pools)
    this.#leases.take(client, this)
  }

  /** Whoever still waits is told so. */
  close(): void {
    this.#leave()
    this.#waiter.close()
  }

  #leave(): void {
    this.#watched?.watch.stop()
    this.#watched = undefined
    this.#leases?.close()
    this.#leases = undefined
  }
}
