// What the leader knows of the tables, and how it notices that they were changed while it leads.
import type { Run } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import { isWider } from '../mirror/wider-type.js'
import { otherSide } from '../phase/phases.js'
import type { Side } from '../phase/phases.js'
import { restartBackfillSql } from './backfill.js'
import type { Lines } from './carry.js'
import { shapeSql } from './relay-record.js'
import { recordedOtherwise } from './capture-state.js'
import { readMirrored } from './tables.js'
import type { MirroredTable } from './tables.js'

/** A column that is added on the side that is written is noticed no later. */
const LOOK_MILLIS = 5_000

export class RelayTables {
  readonly #m: Migration
  readonly #from: Side
  readonly #lines: Lines
  #tables = new Map<number, MirroredTable>()
  #here = new Map<number, string>()
  #there = new Map<number, string>()
  #otherwise: ReadonlySet<number> = new Set()
  #due = 0

  constructor(m: Migration, from: Side, lines: Lines) {
    this.#m = m
    this.#from = from
    this.#lines = lines
  }

  get byOid(): ReadonlyMap<number, MirroredTable> {
    return this.#tables
  }

  /** Undefined where it is not mirrored, or is not as it was when it was read: then `read` again. */
  find({
    table: oid,
    shape,
  }: {
    readonly table: number
    readonly shape: string | undefined
  }): MirroredTable | undefined {
    return shape !== undefined && this.#here.get(oid) === shape ? this.#tables.get(oid) : undefined
  }

  /** Whether what is on record of it names rows by other columns than those by which it would be mirrored now. */
  isRecordedOtherwise(oid: number): boolean {
    return this.#otherwise.has(oid)
  }

  /** True when something is brought over anew. */
  async read(): Promise<boolean> {
    const { here, there } = this.#lines
    const runs = { [this.#from]: here.run, [otherSide(this.#from)]: there.run } as Record<Side, Run>
    // The shapes first: what is changed between the two is noticed by the next look.
    const [shapesHere, shapesThere] = await Promise.all([shapes(here.run), shapes(there.run)])
    const { tables: all } = await readMirrored(this.#m, this.#from, runs)
    // The key that a table has now may be another one than it had when its capture was installed.
    this.#otherwise = await recordedOtherwise(here.run, this.#m, all)
    const tables = all.filter(({ from: { oid } }) => !this.#otherwise.has(oid)).filter(this.#isWhole)
    const late = tables.filter((table) => this.#isLate(table, shapesThere))
    this.#tables = new Map(tables.map((table) => [table.from.oid, table]))
    this.#here = shapesHere
    this.#there = shapesThere
    this.#due = performance.now() + LOOK_MILLIS
    for (const { from } of late) await here.run(restartBackfillSql(this.#m, from.oid))
    return late.length > 0
  }

  /** Whether the side that is written has changed since it was read; looks now and then. */
  async isOutdated(): Promise<boolean> {
    if (performance.now() < this.#due) return false
    this.#due = performance.now() + LOOK_MILLIS
    const now = await shapes(this.#lines.there.run)
    return [...this.#tables.values()].some(({ to: { oid } }) => now.get(oid) !== this.#there.get(oid))
  }

  /**
   * Whether the other side keeps all that is in a row. On the way out a table that lacks a column there, or has one of
   * another type, waits until it does not: who leads then knows nothing of the rows that went without. On the way back the
   * new side may have more.
   */
  readonly #isWhole = ({ leftOut, columns }: MirroredTable): boolean =>
    this.#from === 'new' ||
    (leftOut.length === 0 &&
      columns.every(
        ({ readType, writeType }) =>
          bareName(readType) === bareName(writeType) || isWider(readType, writeType),
      ))

  /**
   * A column that both have now, since the other side has got it, or whose type was changed there after that of the side
   * that is read: rows may have been carried over without it, or with values cut short. What only the side that is read
   * has got is noticed before a row that has it is carried over.
   */
  #isLate({ from, to, columns }: MirroredTable, shapesThere: ReadonlyMap<number, string>): boolean {
    const before = this.#tables.get(from.oid)
    if (!before || this.#there.get(to.oid) === shapesThere.get(to.oid)) return false
    return columns.some(({ name, writeType }) => {
      const was = before.columns.find((column) => column.name === name)
      return !was || (was.writeType !== writeType && was.writeType !== was.readType)
    })
  }
}

/** Types of the application and of extensions may be in other schemas there. */
const bareName = (type: string): string => type.replace(/^.*\./, '')

async function shapes(run: Run): Promise<Map<number, string>> {
  const rows = await run<{ oid: number; shape: string }>(
    `select c.oid::int8::float8 as oid, ${shapeSql('c.oid')} as shape from pg_class c
      where c.relkind in ('r', 'p') and not c.relispartition and c.oid >= ${FIRST_OWN}`,
  )
  return new Map(rows.map(({ oid, shape }) => [oid, shape]))
}

/** Below are those of Postgres itself. */
const FIRST_OWN = 16_384
