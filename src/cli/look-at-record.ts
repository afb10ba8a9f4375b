// Looks at the record of a mirror by dual-write again and again, since its age and its rates are told by the looks before.
import type { Migration } from '../control/migration.js'
import { quoteIdent, recordTable } from '../control/names.js'
import { hasPassed, recordLook } from '../dual-write/record-look.js'
import { RecordMeter, type RecordStatus } from '../dual-write/record-meter.js'
import type { Side } from '../phase/phases.js'

/** Longer than the second after which the leader tells of itself. */
export const BETWEEN_LOOKS_MILLIS = 1_200

export interface SeenRecord extends RecordStatus {
  /** Rows that were there before the mirror are still on their way. */
  readonly copying: boolean
  /** Looks so far; after one alone neither age nor rates are known. */
  readonly looks: number
}

export class RecordLooks {
  readonly #m: Migration
  readonly #from: Side
  readonly #meter = new RecordMeter()
  #copying = false
  /** Where the record stood when the last key of the copy was on it. */
  #boundary: bigint | undefined
  #looks = 0

  constructor(m: Migration, from: Side) {
    this.#m = m
    this.#from = from
  }

  /** Undefined where nothing is put on record. Rejects with the server's own words. */
  async look(): Promise<SeenRecord | undefined> {
    const { run } = this.#m.control[this.#from]
    const [found] = await run<{ there: boolean }>('select to_regclass($1) is not null as there', [
      `cutover.${quoteIdent(recordTable(this.#m.name))}`,
    ])
    if (found?.there !== true) return undefined
    // The meter keeps its errors to itself: what is the matter shows here.
    const look = await recordLook(run, this.#m)
    await this.#meter.measure(this.#m, this.#from)
    const measured = this.#meter.latest(this.#from)
    if (measured === undefined) return undefined
    const isPutDown = measured.backfill?.finished !== false && !look.backfilling
    if (!isPutDown) {
      this.#copying = true
      this.#boundary = undefined
    } else if (this.#copying) {
      this.#boundary ??= look.boundary
      if (hasPassed(this.#boundary, look)) this.#copying = false
    }
    return { ...measured, copying: this.#copying, looks: ++this.#looks }
  }
}
