// The backfill of rows that were there before they were captured: which tables have one, and how far each has come.
import type { Run } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import { quoteLiteral } from '../control/names.js'

export interface TableBackfill {
  /** The table on the side that writes. */
  readonly oid: number
  /** `schema.table`, as it was called when the backfill began. */
  readonly table: string
  readonly done: number
  /** An estimate, never below `done`, and the same once it is finished. */
  readonly total: number
  readonly finished: boolean
}

export interface Backfill {
  readonly tables: readonly TableBackfill[]
  readonly done: number
  readonly total: number
  /** No table has rows that are yet to be put on record. They may be on record still. */
  readonly finished: boolean
  /** Rows a second since the reading before, evened out; undefined without one. */
  readonly rowsPerSecond: number | undefined
  /** Undefined while nothing moves. */
  readonly millisLeft: number | undefined
  /** When it was read, by `performance.now()`. */
  readonly at: number
}

/** How much the newest rate counts against those before. */
const NEWEST = 0.3

/** As the server's planner does it: rows for each page at the last look, times the pages of now. */
const ESTIMATE = `
  (select coalesce(sum(case when r.reltuples > 0 and r.relpages > 0
            then r.reltuples / r.relpages * (pg_relation_size(r.oid) / current_setting('block_size')::int)
            else pg_relation_size(r.oid) / 100.0 end), 0)::int8
     from pg_class r
    where r.oid = c.oid or c.relkind = 'p' and r.oid in (select relid from pg_partition_tree(c.oid) where isleaf))`

const NAMED = `n.nspname::text || '.' || c.relname::text`

/**
 * One statement without parameters that begins the backfill of a table from its first key, whether it has had one or not.
 * For the transaction that begins to capture the table, and for the one that forgets the marker of a TRUNCATE.
 */
export const restartBackfillSql = (m: Pick<Migration, 'name'>, oid: number): string => `
  insert into cutover.backfill as b (name, tbl, table_name, rows_total)
  select ${quoteLiteral(m.name)}, c.oid, ${NAMED}, ${ESTIMATE}
    from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.oid = ${oid}::oid
  on conflict (name, tbl) do update set last_key = null, rows_done = 0, rows_total = excluded.rows_total,
    started = clock_timestamp(), finished = null`

/** How far it has come; with the reading before also how fast it goes. `run` belongs to the side that writes. */
export async function readBackfill(run: Run, name: string, before?: Backfill): Promise<Backfill> {
  const found = await run<{ oid: number; table: string; done: number; total: number; finished: boolean }>(
    `select tbl::int8::float8 as oid, table_name as table, rows_done::float8 as done,
            case when finished is null then greatest(rows_total, rows_done) else rows_done end::float8 as total,
            finished is not null as finished
       from cutover.backfill where name = $1 order by table_name collate "C"`,
    [name],
  )
  const at = performance.now()
  const sum = (of: 'done' | 'total'): number => found.reduce((all, table) => all + table[of], 0)
  const done = sum('done')
  const total = sum('total')
  const rowsPerSecond = before && rateSince(before, done, at)
  return {
    tables: found,
    done,
    total,
    finished: found.every(({ finished }) => finished),
    rowsPerSecond,
    millisLeft: rowsPerSecond ? ((total - done) / rowsPerSecond) * 1_000 : undefined,
    at,
  }
}

function rateSince(before: Backfill, done: number, at: number): number {
  // A table that was begun anew counts from zero again.
  const now = (Math.max(0, done - before.done) / Math.max(1, at - before.at)) * 1_000
  return before.rowsPerSecond === undefined ? now : before.rowsPerSecond * (1 - NEWEST) + now * NEWEST
}
