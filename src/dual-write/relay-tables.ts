// What the leader knows of the tables, and how it notices that they were changed while it leads.
import type { Run } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import { otherSide } from '../phase/phases.js'
import type { Side } from '../phase/phases.js'
import { restartBackfillSql } from './backfill.js'
import type { Lines } from './carry.js'
import { readMirrored } from './tables.js'
import type { MirroredTable } from './tables.js'

/** A column that is added on the side that is written is noticed no later. */
const LOOK_MILLIS = 5_000

export class RelayTables {
  readonly #m: Migration
  readonly #from: Side
  readonly #lines: Lines
  #tables = new Map<number, MirroredTable>()
  #here = new Map<number, number>()
  #there = new Map<number, number>()
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
    width,
  }: {
    readonly table: number
    readonly width: number | undefined
  }): MirroredTable | undefined {
    return width !== undefined && this.#here.get(oid) === width ? this.#tables.get(oid) : undefined
  }

  /** True when something is brought over anew. */
  async read(): Promise<boolean> {
    const { here, there } = this.#lines
    const runs = { [this.#from]: here.run, [otherSide(this.#from)]: there.run } as Record<Side, Run>
    // The widths first: what is changed between the two is noticed by the next look.
    const [widthsHere, widthsThere] = await Promise.all([widths(here.run), widths(there.run)])
    const { tables } = await readMirrored(this.#m, this.#from, runs)
    const late = tables.filter((table) => this.#isLate(table, widthsThere))
    this.#tables = new Map(tables.map((table) => [table.from.oid, table]))
    this.#here = widthsHere
    this.#there = widthsThere
    this.#due = performance.now() + LOOK_MILLIS
    for (const { from } of late) await here.run(restartBackfillSql(this.#m, from.oid))
    return late.length > 0
  }

  /** Whether the side that is written has changed since it was read; looks now and then. */
  async isOutdated(): Promise<boolean> {
    if (performance.now() < this.#due) return false
    this.#due = performance.now() + LOOK_MILLIS
    const now = await widths(this.#lines.there.run)
    return [...this.#tables.values()].some(({ to: { oid } }) => now.get(oid) !== this.#there.get(oid))
  }

  /**
   * A column that both have now, since the other side has got it: rows may have been carried over without it. One that
   * only the side that is read has got is noticed before a row that has it is carried over.
   */
  #isLate({ from, to, columns }: MirroredTable, widthsThere: ReadonlyMap<number, number>): boolean {
    const before = this.#tables.get(from.oid)
    if (!before || this.#there.get(to.oid) === widthsThere.get(to.oid)) return false
    return columns.some(({ name }) => !before.columns.some((column) => column.name === name))
  }
}

async function widths(run: Run): Promise<Map<number, number>> {
  const rows = await run<{ oid: number; width: number }>(
    `select oid::int8::float8 as oid, relnatts::int as width from pg_class where relkind in ('r', 'p')`,
  )
  return new Map(rows.map(({ oid, width }) => [oid, width]))
}
