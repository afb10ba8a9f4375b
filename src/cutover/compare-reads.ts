// Compares reads in the phases that ask for it, and knows what was found in all of them.
import { setTimeout as delay } from 'node:timers/promises'
import { recordPassed } from '../dual-write/record-look.js'
import { mirrorPassed } from '../mirror/passed.js'
import { PHASES, type Phase, type Side } from '../phase/phases.js'
import { Book } from '../shadow/book.js'
import { Comparing } from '../shadow/comparing.js'
import { reportOf } from '../shadow/report-of.js'
import type { ShadowReport, ShadowTotals } from '../shadow/report.js'
import { sampleComparisons } from './sampled-comparisons.js'
import { SharedCounts } from './shadow-store.js'
import type { ShadowingOptions } from './shadowing.js'

/**
 * Without a mirror of ours nobody can say how far the copy is. The first rounds give it this and twice this, which is enough
 * for most, and every later one all the time that it is allowed: three rounds in a row make a difference real.
 */
const UNKNOWN_LAG_MILLIS = 1_000

export class CompareReads {
  readonly shared: SharedCounts
  readonly #options: ShadowingOptions
  readonly #book = new Book()
  readonly #compared: ReturnType<typeof sampleComparisons>
  readonly #closing = new Set<Promise<void>>()
  #comparing: Comparing | undefined
  #writer: Side | undefined

  constructor(given: ShadowingOptions) {
    const { options, core, events, sampler, control } = given
    const { name } = options
    this.#options = given
    this.#compared = sampleComparisons(sampler, { name, source: options.source, events })
    this.shared = new SharedCounts({
      name,
      events,
      counting: this.#book,
      control: control(),
      writer: () => core.side,
      atRest: () => core.state.kind === 'direct',
    })
  }

  report(): ShadowReport {
    return reportOf(this.#options.options.name, this.#comparing !== undefined, this.#book.kept())
  }

  totals(): ShadowTotals {
    return this.#book.totals()
  }

  /** One writer is compared with one other side: another phase of the same writer changes nothing. */
  rest(phase: Phase | undefined): void {
    const writer = phase !== undefined && PHASES[phase].compared ? PHASES[phase].writes : undefined
    if (writer === this.#writer) return
    this.#writer = writer
    this.#end()
    if (writer !== undefined) this.#begin(writer)
  }

  /** Bounded; never rejects. */
  async close(): Promise<void> {
    this.rest(undefined)
    await Promise.all(this.#closing)
    await this.shared.end()
  }

  #begin(writer: Side): void {
    const { options, core, events } = this.#options
    const { name, shadow: settings } = options
    if (settings === undefined) return
    const passed = (round: number, signal: AbortSignal): Promise<boolean> =>
      this.#passed(writer, round, settings.lagTimeoutMillis, signal)
    const { texts } = core
    this.#comparing = new Comparing({
      name,
      core,
      texts,
      events,
      settings,
      writer,
      book: this.#book,
      passed,
      compared: this.#compared,
    })
    this.shared.begin()
  }

  #end(): void {
    const closing = this.#comparing?.close().finally(() => this.#closing.delete(closing as Promise<void>))
    if (closing) this.#closing.add(closing)
    this.#comparing = undefined
  }

  async #passed(
    writer: Side,
    round: number,
    lagTimeoutMillis: number,
    signal: AbortSignal,
  ): Promise<boolean> {
    const { options, control } = this.#options
    const connection = options.mirror === 'none' ? undefined : control()?.[writer].fork()
    if (connection === undefined) {
      const millis =
        round < 2 ? Math.min(lagTimeoutMillis, UNKNOWN_LAG_MILLIS * 2 ** round) : lagTimeoutMillis
      await delay(millis, undefined, { signal, ref: false })
      return true
    }
    // One of its own, since statements of a change of writer must not wait behind it.
    const passing = options.mirror === 'dual-write' ? recordPassed : mirrorPassed
    const passed = passing(connection, { name: options.name, from: writer }, lagTimeoutMillis, signal)
    try {
      return await unlessAborted(passed, signal)
    } finally {
      // A server that does not answer would keep whoever ends the migration waiting.
      const closed = connection.close()
      if (!signal.aborted) await closed
    }
  }
}

function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => reject(signal.reason as Error)
    if (signal.aborted) aborted()
    signal.addEventListener('abort', aborted)
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', aborted))
  })
}
