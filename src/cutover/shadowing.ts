// Has sampled reads compared with the other side's answers while the phase asks for it. What does so is loaded then.
import type { ControlConnection } from '../control/control-connection.js'
import type { CutoverEvents } from '../events.js'
import { PHASES, writerOf, type Phase, type Side } from '../phase/phases.js'
import type { Sampler } from '../phase/source.js'
import type { PoolCore } from '../pool/pool-core.js'
import { noTotals, type ShadowReport, type ShadowTotals } from '../shadow/report.js'
import type { CompareReads } from './compare-reads.js'
import type { ResolvedOptions } from './read-options.js'

/** What `cutover.shadow` offers. */
export interface Shadow {
  /** What this process has found since it began to compare, or since {@link reset}. */
  report(): ShadowReport
  /** The counts of {@link report} alone. */
  totals(): ShadowTotals
  /**
   * Begins to count anew, as after a difference was mended: in coordinated mode in every process of the fleet. Then it
   * rejects if the side in use does not answer.
   */
  reset(): Promise<void>
}

export interface ShadowingOptions {
  readonly options: ResolvedOptions
  readonly core: PoolCore
  readonly events: CutoverEvents
  /** Of the source, if it measures the migration. */
  readonly sampler: Sampler | undefined
  /** Of coordinated mode, as soon as it is loaded. */
  readonly control: () => Readonly<Record<Side, ControlConnection>> | undefined
}

export class Shadowing implements Shadow {
  readonly #options: ShadowingOptions
  #loading: Promise<CompareReads> | undefined
  #loaded: CompareReads | undefined
  #phase: Phase | undefined
  #closed = false

  constructor(options: ShadowingOptions) {
    this.#options = options
  }

  report(): ShadowReport {
    return (
      this.#loaded?.report() ?? {
        name: this.#options.options.name,
        since: new Date().toISOString(),
        comparing: false,
        ...noTotals(),
        statements: [],
        mismatches: [],
      }
    )
  }

  totals(): ShadowTotals {
    return this.#loaded?.totals() ?? noTotals()
  }

  async reset(): Promise<void> {
    // What other processes have counted is forgotten as well, also by one that has compared nothing itself.
    if (this.#loaded || this.#options.control()) await (await this.#load()).shared.reset()
  }

  /** Rejects with `ERR_MISMATCH` where compared reads differ for real and the move would change the writer to the new side. */
  async assertEqual(from: Phase | undefined, to: Phase): Promise<void> {
    if (from === undefined || writerOf(from) === 'new' || writerOf(to) === 'old') return
    if (this.#loaded || this.#options.control()) await (await this.#load()).shared.assertEqual(from, to)
  }

  /** Begins or ends to compare. */
  rest(phase: Phase): void {
    this.#phase = phase
    if (this.#closed || this.#options.options.shadow === undefined) return
    // In the same turn: from a phase that compares nothing on, no call pays for it.
    if (this.#loaded) return this.#rest(this.#loaded)
    if (!PHASES[phase].compared && this.#loading === undefined) return
    this.#load().then(
      (loaded) => this.#rest(loaded),
      (error: unknown) => this.#warn(error),
    )
  }

  /** Whoever changes the phase must not fail by it. */
  #rest(loaded: CompareReads): void {
    try {
      loaded.rest(this.#closed ? undefined : this.#phase)
    } catch (error) {
      this.#warn(error)
    }
  }

  #warn(error: unknown): void {
    const { name } = this.#options.options
    const message = `reads cannot be compared: ${error instanceof Error ? error.message : String(error)}`
    this.#options.events.publish('warning', { name, code: 'SHADOW', message })
  }

  async close(): Promise<void> {
    this.#closed = true
    const loaded = await this.#loading?.catch(() => undefined)
    await loaded?.close()
  }

  async #load(): Promise<CompareReads> {
    this.#loading ??= import('./compare-reads.js').then(
      ({ CompareReads }) => (this.#loaded = new CompareReads(this.#options)),
    )
    return this.#loading
  }
}
