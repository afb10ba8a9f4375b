// The time in which reads are compared: from a phase that asks for it to the next one that does not, with one writer.
import { setTimeout as delay } from 'node:timers/promises'
import type { CutoverEvents } from '../events.js'
import { otherSide, type Side } from '../phase/phases.js'
import type { PoolCore } from '../pool/pool-core.js'
import type { KnownTexts } from '../reads/known-texts.js'
import type { Statements } from '../reads/statements.js'
import type { Book } from './book.js'
import { Comparer, type ComparedCall } from './comparer.js'
import { KnownReads } from './known-reads.js'
import { ObservedRoute } from './observed-route.js'
import { ShadowPools } from './shadow-pools.js'

/** The checked options; `ShadowOptions` says what they mean. */
export interface ComparingSettings {
  readonly rate: number
  readonly perMinute: number
  readonly max: number
  readonly maxBytes: number
  readonly timeoutMillis: number
  readonly floatTolerance: number
  readonly values: boolean
}

export interface ComparingOptions {
  readonly name: string
  readonly core: PoolCore
  readonly texts: Pick<KnownTexts, 'load'>
  readonly events: CutoverEvents
  readonly settings: ComparingSettings
  readonly writer: Side
  readonly book: Book
  /** Whether the other side has by now what could be seen on the writer at the call; waits for it, within limits. */
  readonly passed: (round: number, signal: AbortSignal) => Promise<boolean>
  readonly compared: (call: ComparedCall) => void
}

// DDL of the application is not told to anybody.
const LEARN_MILLIS = 60_000
const LEARN_AGAIN_MILLIS = 5_000
const PAUSE_MILLIS = 50
const LONGEST_PAUSE_MILLIS = 1_000
/** One event a statement and one warning in this time. */
const EVENT_MILLIS = 1_000
const WARNING_MILLIS = 60_000
const REMEMBERED_EVENTS = 1_000

export class Comparing {
  readonly #options: ComparingOptions
  readonly #pools: ShadowPools
  readonly #closing = new AbortController()
  readonly #toldAt = new Map<string, number>()
  #warnedAt = Number.NEGATIVE_INFINITY
  #known: KnownReads | undefined
  #comparer: Comparer | undefined
  #timer: NodeJS.Timeout | undefined
  #turn: Promise<void>

  constructor(options: ComparingOptions) {
    this.#options = options
    this.#pools = new ShadowPools(options.core.pools, options.settings)
    this.#turn = this.#learn()
  }

  /** Nothing is left running, but for a statement that its server has yet to give up. Never rejects. */
  async close(): Promise<void> {
    this.#closing.abort()
    clearTimeout(this.#timer)
    if (this.#known) this.#options.core.inFront.observe(undefined)
    this.#known?.close()
    const compared = this.#comparer?.close()
    await this.#pools.close()
    await compared
    await this.#turn
  }

  async #learn(): Promise<void> {
    const { texts, writer } = this.#options
    let learnt = false
    try {
      const statements = await texts.load()
      const [here, there] = await Promise.allSettled([
        this.#pools.learn(writer, statements),
        this.#pools.learn(otherSide(writer), statements),
      ])
      this.#closing.signal.throwIfAborted()
      for (const one of [here, there]) if (one.status === 'rejected') this.#warn(one.reason)
      learnt = here.status === 'fulfilled' && there.status === 'fulfilled'
      // Of the other side nothing has to be known: what cannot be compared is counted.
      if (here.status === 'fulfilled') this.#observe(statements)
    } catch (error) {
      this.#warn(error)
    }
    if (this.#closing.signal.aborted) return
    const again = learnt ? LEARN_MILLIS : LEARN_AGAIN_MILLIS
    this.#timer = setTimeout(() => {
      this.#turn = this.#learn()
    }, again).unref()
  }

  #observe(statements: Statements): void {
    if (this.#known) return this.#known.learnt()
    const { core, settings, writer, book } = this.#options
    const comparer = (this.#comparer = this.#comparerWith(statements))
    const known = (this.#known = new KnownReads({
      ...settings,
      statements,
      side: writer,
      hasRoom: () => comparer.hasRoom,
      skip: (why) => book.skip(why),
    }))
    core.inFront.observe((direct, side) =>
      side === writer
        ? new ObservedRoute(
            direct,
            (text) => known.pick(text),
            (answered) => comparer.take(answered),
          )
        : direct,
    )
  }

  #comparerWith(statements: Statements): Comparer {
    const { core, settings, writer, book, passed, compared } = this.#options
    const { signal } = this.#closing
    return new Comparer({
      ...settings,
      book,
      statements,
      writer,
      ask: (side, text, values) => this.#pools.ask(side, text, values),
      parse: (side, text) => this.#pools.parse(side, text),
      mayAsk: () => core.state.kind === 'direct' && core.side === writer,
      passed: (round) =>
        passed(round, signal).catch((error: unknown) => {
          signal.throwIfAborted()
          this.#warn(error)
          return false
        }),
      pause: (round) =>
        delay(Math.min(PAUSE_MILLIS * 2 ** round, LONGEST_PAUSE_MILLIS), undefined, { signal, ref: false }),
      differs: (mismatch) => this.#tell(mismatch),
      compared,
      failed: (error) => this.#warn(error),
    })
  }

  #tell(mismatch: Parameters<ConstructorParameters<typeof Comparer>[0]['differs']>[0]): void {
    const { events, name } = this.#options
    const now = performance.now()
    if (now - (this.#toldAt.get(mismatch.fingerprint) ?? -EVENT_MILLIS) < EVENT_MILLIS) return
    if (this.#toldAt.size >= REMEMBERED_EVENTS) this.#toldAt.clear()
    this.#toldAt.set(mismatch.fingerprint, now)
    events.publish('mismatch', { name, ...mismatch })
  }

  #warn(error: unknown): void {
    const now = performance.now()
    if (this.#closing.signal.aborted || now - this.#warnedAt < WARNING_MILLIS) return
    this.#warnedAt = now
    const { events, name } = this.#options
    const reason = error instanceof Error ? error.message : String(error)
    const message = `reads could not be compared: ${reason}`
    events.publish('warning', { name, code: 'SHADOW', message })
  }
}
