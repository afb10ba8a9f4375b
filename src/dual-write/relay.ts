// One leader's way of carrying the record over to the other side: look, read, write, forget; turn by turn.
import type { Migration } from '../control/migration.js'
import { otherSide } from '../phase/phases.js'
import type { Side } from '../phase/phases.js'
import type { Refusal } from './carry-apart.js'
import { carryRefused } from './carry-refused.js'
import { Carrier } from './carry.js'
import type { Lines, Portion } from './carry.js'
import type { RowBatch } from './read-rows.js'
import { RelayBackfill } from './relay-backfill.js'
import { RelayReader } from './relay-reader.js'
import type { Found } from './relay-reader.js'
import { anythingSql, carriedOf, lowestLeft, pick } from './relay-record.js'
import type { Entries, Marker } from './relay-record.js'
import { RelayStuck } from './relay-stuck.js'
import { RelayTables } from './relay-tables.js'
import { troubleOf } from './relay-trouble.js'
import type { MirroredTable } from './tables.js'
import { RowRate } from './throttle.js'
import { carryEmptied } from './truncate.js'

/** How much of what a turn could see the other side has. */
export interface Reach {
  /** Whatever was committed before the turn began has a lower transaction id. */
  readonly next: bigint
  /** The lowest transaction id that may be missing still; undefined for none. */
  readonly left: bigint | undefined
}

/** What a turn has come to. */
export interface Turn extends Reach {
  /** Records that were carried over and forgotten. */
  readonly rows: number
  /** The next turn may find more, without anybody's having written. */
  readonly more: boolean
  /** The side that is read takes no writes any more, and nothing of it is on record. */
  readonly over: boolean
}

export class Relay {
  readonly stuck: RelayStuck
  readonly #m: Migration
  readonly #lines: Lines
  readonly #carrier: Carrier
  readonly #tables: RelayTables
  readonly #backfill: RelayBackfill
  readonly #reader: RelayReader
  readonly #rate: RowRate
  #low = 0n
  /** Keys of the backfill that are on record, as far as is known. */
  #ahead = 0
  /** How long the turn before took until the other side had what it read. */
  #lagMillis = 0

  constructor(m: Migration, from: Side, lines: Lines, generation: number) {
    this.#m = m
    this.#lines = lines
    this.#carrier = new Carrier(m, lines, { name: m.name, side: otherSide(from), generation })
    this.#tables = new RelayTables(m, from, lines)
    this.#backfill = new RelayBackfill(m)
    this.#reader = new RelayReader(m, this.#carrier, this.#tables)
    this.#rate = new RowRate(m.dualWrite.maxRowsPerSecond)
    this.stuck = new RelayStuck(m, this.#carrier)
  }

  /** Before the first turn, and after whatever may have changed things unseen. */
  async learn(): Promise<void> {
    // Transaction ids of a standby that has taken over may begin again below.
    this.#low = 0n
    this.#reader.startAgain()
    await this.#readTables()
    await this.stuck.load()
  }

  /** Before a pause: whatever was carried over is forgotten. */
  async settle(): Promise<void> {
    await this.#reader.settle()
  }

  /** Milliseconds until further rows may be carried over. */
  get pauseMillis(): number {
    return this.#rate.pauseMillis()
  }

  /** Whether there is work, asked as cheaply as it can be. */
  async isAnything(): Promise<boolean> {
    if (this.stuck.isDue || (await this.#tables.isOutdated())) return true
    const { run } = this.#lines.here
    const [row] = await run<{ any: boolean; status: string | null }>(anythingSql(this.#m.name, this.#low))
    if (row?.any === true || !isRead(row?.status)) return true
    const stepped = await this.#stepBackfill(this.#ahead)
    this.#ahead += stepped
    await this.#meetBackfill()
    return stepped > 0
  }

  /** `written` is told when the other side has it, which is before it is forgotten. */
  async turn(written: (reach: Reach) => void): Promise<Turn> {
    const began = performance.now()
    if (await this.#tables.isOutdated()) await this.#readTables()
    if (this.stuck.isDue) await this.#retryStuck()
    const found = await this.#reader.find(this.#low, this.stuck.leaveOut)
    const { look } = found
    const strange = [...look.emptied, ...look.entries].filter((one) => !this.#tables.find(one))
    if (strange.length > 0) await this.#meet(strange)
    else if (look.emptied.length > 0) await this.#empty(look.emptied)
    else return await this.#carry(found, began, written)
    return { rows: 0, next: look.next, left: 0n, more: true, over: false }
  }

  async #carry(
    { look, isFull, portions, batches, error }: Found,
    began: number,
    written: (reach: Reach) => void,
  ): Promise<Turn> {
    const ahead = (rows: number): number => (isFull ? Math.max(0, this.#ahead - rows) : 0)
    const onRecord = ahead(look.rows)
    // While the other side writes, which has nothing to do with it: the writer would only wait.
    const stepping = settled(
      this.#stepBackfill(isFull && onRecord === 0 ? this.#m.dualWrite.batchRows : onRecord),
    )
    const tried =
      error === undefined
        ? portions.map(({ table, keys }, index) => ({
            table,
            keys: keys.slice(0, batches[index]?.taken ?? 0),
          }))
        : portions
    const refusals = await this.#write(tried, batches, error, stepping)
    const carried = look.entries.map((entries, index) => without(carriedOf(entries, tried[index]), refusals))
    await this.stuck.note(refusals)
    const left = lowestLeft(look, carried, isFull)
    if (this.stuck.waiting.length === 0) written({ next: look.next, left })
    await this.#reader.forget(carried)
    await this.stuck.carried(carried)
    const rows = carried.reduce((sum, { keys }) => sum + keys.length, 0)
    this.#low = left === undefined || left > look.horizon ? look.horizon : left
    this.#rate.took(rows)
    this.#lagMillis = performance.now() - began
    const { stepped, failure } = await stepping
    if (failure !== undefined) throw failure
    this.#ahead = ahead(rows) + stepped
    await this.#meetBackfill()
    return {
      rows,
      next: look.next,
      left: this.stuck.waiting.length > 0 ? 0n : left,
      more: isFull || left !== undefined || stepped > 0,
      over: look.rows === 0 && !isRead(look.status),
    }
  }

  async #write(
    tried: readonly Portion[],
    batches: readonly RowBatch[],
    readError: unknown,
    stepping: Promise<unknown>,
  ): Promise<readonly Refusal[]> {
    if (tried.every(({ keys }) => keys.length === 0)) return []
    try {
      if (readError !== undefined) throw readError
      await this.#carrier.writePrepared(batches)
      return []
    } catch (error) {
      // It would come between the statements of a transaction.
      await stepping
      if (troubleOf(error) === 'table') await this.#readTables()
      return await carryRefused(this.#carrier, this.#m, this.#tables, tried, error)
    }
  }

  async #empty(markers: readonly Marker[]): Promise<void> {
    // A table that is recorded by another key from now on has a marker too, before anything is on record by that key.
    await this.#readTables()
    for (const marker of markers) {
      const table = this.#tables.find(marker)
      if (!table) continue
      try {
        await carryEmptied(this.#carrier, this.#m, table, marker)
      } catch (error) {
        if (troubleOf(error) === 'wait') throw error
        await this.stuck.note([{ table: table.from, key: undefined, error }])
      }
    }
    this.#backfill.changed()
  }

  /** Tables that are new, or were changed; what is not mirrored after all is said and stays on record. */
  async #meet(strange: readonly (Marker | Entries)[]): Promise<void> {
    await this.#readTables()
    const refusals = strange
      .filter((one) => !this.#tables.byOid.has(one.table))
      .map(({ table: oid, name }): Refusal => ({
        table: { oid, ...name },
        key: undefined,
        error: new Error(
          this.#tables.isRecordedOtherwise(oid)
            ? 'its changes are on record by another key than it has now: prepare the migration again, and it is brought over anew'
            : 'it is on record but not mirrored: it was dropped, or the other side lacks the table, its key, or a column of its type',
        ),
      }))
    await this.stuck.note(refusals)
  }

  async #readTables(): Promise<void> {
    if (await this.#tables.read()) this.#low = 0n
    this.#backfill.changed()
  }

  async #retryStuck(): Promise<void> {
    const readTables = async (): Promise<ReadonlyMap<number, MirroredTable>> => {
      await this.#readTables()
      return this.#tables.byOid
    }
    await this.#reader.settle()
    if (await this.stuck.retry(readTables)) this.#low = 0n
  }

  #stepBackfill(onRecord: number): Promise<number> {
    return this.#backfill.step(this.#lines.here.run, this.#tables.byOid, onRecord, this.#lagMillis)
  }

  async #meetBackfill(): Promise<void> {
    if (this.#backfill.isStrange(this.#tables.byOid) && (await this.#tables.read())) this.#low = 0n
  }
}

type Stepped = { readonly stepped: number; readonly failure?: unknown }

const settled = (step: Promise<number>): Promise<Stepped> =>
  step.then(
    (stepped) => ({ stepped }),
    (failure: unknown) => ({ stepped: 0, failure }),
  )

const isRead = (status: string | null | undefined): boolean => status === 'writer' || status === 'fenced'

function without(entries: Entries, refusals: readonly Refusal[]): Entries {
  const mine = refusals.filter(({ table }) => table.oid === entries.table)
  if (mine.length === 0) return entries
  const keys = new Set(mine.map(({ key }) => key))
  return pick(entries, (key) => !keys.has(undefined) && !keys.has(key))
}
