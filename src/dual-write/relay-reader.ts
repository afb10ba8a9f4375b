// What the leader reads of the record in a turn, with the rows of as much of it as one transaction carries.
import type { Migration } from '../control/migration.js'
import type { Carrier, Portion } from './carry.js'
import type { RowBatch } from './read-rows.js'
import { forget, lookAtRecord } from './relay-record.js'
import type { Entries, Look } from './relay-record.js'
import type { RelayTables } from './relay-tables.js'
import { troubleOf } from './relay-trouble.js'
import { ShortReader } from './short-read.js'
import type { MirroredTable } from './tables.js'

/** What a look has found, with the rows of as much of it as one transaction carries. */
export interface Found {
  readonly look: Look
  readonly position: string
  /** Records beyond these may have been left out. */
  readonly isFull: boolean
  /** One for each of the look's tables; none where something else has to be done first. */
  readonly portions: readonly Portion[]
  readonly batches: readonly RowBatch[]
  /** Why the rows could not be read. */
  readonly error?: unknown
}

/** Rows of so many tables are read before it is known which of them are on record: of those that were lately. */
const MOST_TABLES = 8
const LATELY_TURNS = 50

export class RelayReader {
  readonly #m: Migration
  readonly #carrier: Carrier
  readonly #tables: RelayTables
  readonly #short: ShortReader
  /** Few records are expected. */
  #isShort = true
  #turn = 0
  /** The turn in which something of a table was on record last. */
  readonly #seen = new Map<number, number>()
  /** Carried over and not forgotten yet. */
  #carried: readonly Entries[] = []

  constructor(m: Migration, carrier: Carrier, tables: RelayTables) {
    this.#m = m
    this.#carrier = carrier
    this.#tables = tables
    this.#short = new ShortReader(carrier.lines.here, m.name, m.dualWrite)
  }

  /** Of few records not before the next reading, or `settle`: one round trip less for whoever waits for that. */
  async forget(carried: readonly Entries[]): Promise<void> {
    this.#carried = [...this.#carried, ...carried]
    if (!this.#isShort) await this.settle()
  }

  /** What was carried over is forgotten now. Before anything else reads the record for what is yet to be carried over. */
  async settle(): Promise<void> {
    const carried = this.#carried
    if (carried.length === 0) return
    await forget(this.#carrier.lines.here.run, this.#m.name, carried)
    this.#carried = []
  }

  /** Nothing of what was known may be relied on: what was not forgotten is carried over again. */
  startAgain(): void {
    this.#carried = []
    this.#isShort = true
  }

  async find(low: bigint, leaveOut: string | undefined): Promise<Found> {
    const found = this.#isShort && leaveOut === undefined ? await this.#findFew(low) : undefined
    if (found) return found
    await this.settle()
    const many = await this.#carrier.within(() => this.#findMany(low, leaveOut))
    const bytes = many.batches.reduce((sum, batch) => sum + batch.bytes, 0)
    this.#isShort = many.look.rows < this.#short.mostRows / 2 && bytes < this.#m.dualWrite.batchBytes / 2
    this.#noteTables(many.look)
    return many
  }

  /** Undefined where there are too many or too large ones, or they could not be read. */
  async #findFew(low: bigint): Promise<Found | undefined> {
    const tables = this.#expected()
    const read = await this.#readFew(low, tables)
    this.#isShort = read !== undefined && !read.isFull
    if (!read || !this.#isShort) return undefined
    const { look } = read
    this.#noteTables(look)
    const portions = this.#portionsOf(look)
    const found = { look, position: look.position, isFull: false, portions: portions ?? [], batches: [] }
    if (!portions) return found
    const batches = portions.map(({ table, keys }): RowBatch | undefined => {
      const batch = read.batches[tables.indexOf(table)]
      if (!batch) return notRead(table)
      return batch.taken === keys.length ? batch : undefined
    })
    return batches.includes(undefined)
      ? undefined
      : { ...found, batches: batches.flatMap((one) => one ?? []) }
  }

  async #readFew(low: bigint, tables: readonly MirroredTable[]) {
    try {
      const read = await this.#short.read(low, tables, this.#carried)
      this.#carried = []
      return read
    } catch (error) {
      await this.#carrier.lines.here.run('rollback').catch(() => {})
      if (troubleOf(error) === 'wait') throw error
      // Of a table perhaps that was changed: then it is found out whose the fault is.
      return undefined
    }
  }

  async #findMany(low: bigint, leaveOut: string | undefined): Promise<Found> {
    const { run } = this.#carrier.lines.here
    const limit = this.#m.dualWrite.batchRows
    const options = { low, limit, ...(leaveOut === undefined ? {} : { leaveOut }) }
    const look = await lookAtRecord(run, this.#m.name, options)
    const isEmpty = look.rows === 0 && look.emptied.length === 0
    const portions = this.#portionsOf(look)
    const found = {
      look,
      position: isEmpty ? START : look.position,
      isFull: look.rows >= limit,
      portions: portions ?? [],
      batches: [],
    }
    if (isEmpty || !portions) return found
    try {
      return { ...found, batches: await this.#carrier.read(portions) }
    } catch (error) {
      if (troubleOf(error) === 'wait') throw error
      await run('rollback')
      return { ...found, error }
    }
  }

  /** Undefined where a table is not as it was when it was read, or was emptied. */
  #portionsOf({ entries, emptied }: Look): readonly Portion[] | undefined {
    if (emptied.length > 0) return undefined
    const portions = entries.flatMap((one): Portion[] => {
      const table = this.#tables.find(one)
      return table ? [{ table, keys: [...new Set(one.keys)] }] : []
    })
    return portions.length === entries.length ? portions : undefined
  }

  #noteTables({ entries }: Look): void {
    this.#turn++
    for (const { table } of entries) this.#seen.set(table, this.#turn)
  }

  #expected(): readonly MirroredTable[] {
    const since = this.#turn - LATELY_TURNS
    const lately = [...this.#seen].filter(([, turn]) => turn > since).toSorted(([, a], [, b]) => b - a)
    return lately.slice(0, MOST_TABLES).flatMap(([oid]) => this.#tables.byOid.get(oid) ?? [])
  }
}

/** No WAL is before it. */
const START = '0/0'

/** None of the keys: they stay on record for the next turn. */
const notRead = (table: MirroredTable): RowBatch => ({
  table,
  taken: 0,
  gone: undefined,
  rows: 0,
  columns: [],
  bytes: 0,
})
