// What the processes of a fleet share of their compared reads: saved as they are counted, and asked before the writer changes.
import type { ControlConnection } from '../control/control-connection.js'
import type { CutoverEvents } from '../events.js'
import { writerOf, type Phase, type Side } from '../phase/phases.js'
import type { Counting, RealElsewhere } from '../shadow/store.js'
import { PostgresShadowStore } from '../shadow/store-postgres.js'
import { mismatchRefusal } from '../shadow/store-refusal.js'
import { startSaving, type Saving } from '../shadow/store-saving.js'

export interface SharedCountsOptions {
  readonly name: string
  readonly events: CutoverEvents
  readonly counting: Counting
  /** The control connections; undefined in direct mode, where nobody sees what another process has counted. */
  readonly control: Readonly<Record<Side, ControlConnection>> | undefined
  /** The side that takes writes now. */
  readonly writer: () => Side
  /** Whether calls go straight to that side, so that no change of writer is under way. */
  readonly atRest: () => boolean
}

export class SharedCounts {
  readonly #options: SharedCountsOptions
  readonly #store: PostgresShadowStore | undefined
  #saving: Saving | undefined

  constructor(options: SharedCountsOptions) {
    this.#options = options
    const { name, control, writer } = options
    this.#store = control && new PostgresShadowStore({ name, control, writer })
  }

  /** Saves from now on. */
  begin(): void {
    if (this.#store === undefined || this.#saving !== undefined) return
    const { counting, atRest } = this.#options
    this.#saving = startSaving({
      counting,
      store: this.#store,
      mayNow: atRest,
      failed: (error) => this.#warn('what was compared could not be saved for the other processes', error),
    })
  }

  /** Saves once more, which takes a second at most. Never rejects. */
  async end(): Promise<void> {
    const saving = this.#saving
    this.#saving = undefined
    await saving?.stop()
  }

  /** Has every process count anew, this one at once and the others by their next save. */
  async reset(): Promise<void> {
    this.#options.counting.forget()
    await this.#store?.reset()
  }

  /** Rejects with `ERR_MISMATCH` where reads differ for real and the move would take the right to write to the new side. */
  async assertEqual(from: Phase | undefined, to: Phase): Promise<void> {
    if (from === undefined || writerOf(from) === 'new' || writerOf(to) === 'old') return
    const elsewhere = await this.#elsewhere()
    const refusal = mismatchRefusal(this.#options.name, this.#here(), elsewhere)
    if (refusal) throw refusal
  }

  #here(): RealElsewhere {
    const { outcomes, statements } = this.#options.counting.kept()
    return {
      real: outcomes.real,
      statements: statements
        .filter((one) => one.outcomes.real > 0)
        .map(({ fingerprint, text, outcomes: { real } }) => ({ fingerprint, text, real })),
    }
  }

  async #elsewhere(): Promise<RealElsewhere> {
    try {
      const found = await this.#store?.elsewhere()
      if (found?.outdated === true) this.#options.counting.forget()
      return found ?? NOTHING
    } catch (error) {
      // The move needs both databases anyway, and says better what is the matter with them.
      this.#warn('what other processes have compared could not be read, and does not count', error)
      return NOTHING
    }
  }

  #warn(what: string, error: unknown): void {
    const { name, events } = this.#options
    const reason = error instanceof Error ? error.message : String(error)
    events.publish('warning', { name, code: 'SHADOW', message: `${what}: ${reason}` })
  }
}

const NOTHING: RealElsewhere = { real: 0, statements: [] }
