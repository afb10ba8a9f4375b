// The leader's share in the backfill: further keys are put on record whenever the record is short enough.
import type { Run } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import { backfillStep } from './backfill-step.js'
import type { MirroredTable } from './tables.js'
import { BackfillThrottle } from './throttle.js'

/** How often it is asked whether somebody has begun another one. */
const LOOK_MILLIS = 500

export class RelayBackfill {
  readonly #m: Migration
  readonly #throttle: BackfillThrottle
  #unfinished: readonly number[] = []
  #looked = Number.NEGATIVE_INFINITY
  /** Asked for since `isStrange` was last asked. */
  #fresh = false

  constructor(m: Migration) {
    this.#m = m
    this.#throttle = new BackfillThrottle(m.dualWrite)
  }

  /** What is unfinished is asked for at once. */
  changed(): void {
    this.#looked = Number.NEGATIVE_INFINITY
  }

  /**
   * Whether a table has begun that is not among these, which were read before it was made. Once after each look, since it
   * may be one that cannot be mirrored.
   */
  isStrange(tables: ReadonlyMap<number, MirroredTable>): boolean {
    const isFresh = this.#fresh
    this.#fresh = false
    return isFresh && this.#unfinished.some((oid) => !tables.has(oid))
  }

  /**
   * One step at most, if there is room for it on record; gives the number of keys that it has put there. `run` commits
   * each statement by itself.
   */
  async step(
    run: Run,
    tables: ReadonlyMap<number, MirroredTable>,
    onRecord: number,
    lagMillis: number,
  ): Promise<number> {
    await this.#look(run)
    const limit = this.#unfinished.length === 0 ? 0 : this.#throttle.next(onRecord)
    const table = this.#unfinished.flatMap((oid) => tables.get(oid) ?? [])[0]
    if (!table || limit === 0) return 0
    const began = performance.now()
    const { rows, finished } = await backfillStep(run, this.#m, table, limit)
    this.#throttle.stepped(rows, performance.now() - began, lagMillis)
    if (finished) this.#unfinished = this.#unfinished.filter((oid) => oid !== table.from.oid)
    // Somebody holds the table, or the side writes no more: the others have their turn.
    else if (rows === 0)
      this.#unfinished = [...this.#unfinished.filter((oid) => oid !== table.from.oid), table.from.oid]
    return rows
  }

  async #look(run: Run): Promise<void> {
    const now = performance.now()
    if (now - this.#looked < LOOK_MILLIS) return
    this.#looked = now
    const rows = await run<{ oid: number }>(
      // One that was dropped has nothing to bring over.
      `with gone as (delete from cutover.backfill b where b.name = $1 and b.finished is null
         and not exists (select from pg_class c where c.oid = b.tbl))
       select b.tbl::int8::float8 as oid from cutover.backfill b join pg_class c on c.oid = b.tbl
        where b.name = $1 and b.finished is null order by b.tbl`,
      [this.#m.name],
    )
    this.#unfinished = rows.map(({ oid }) => oid)
    this.#fresh = true
  }
}
