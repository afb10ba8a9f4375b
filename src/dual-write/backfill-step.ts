// One step of a backfill: the next range of a table's keys is put on record, in one transaction on the side that writes.
import type { Run } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import { quoteIdent, quoteLiteral, recordTable } from '../control/names.js'
import { isLockFailure } from '../control/unit.js'
import { keyText } from './capture-sql.js'
import { quoteTable } from './tables.js'
import type { MirroredTable } from './tables.js'

export interface BackfillStep {
  /** Keys that were put on record. */
  readonly rows: number
  /** Every key of the table is on record or was there before. */
  readonly finished: boolean
}

/** An application that holds the table for itself must not make the relay wait, whose connection this is. */
const LOCK_MILLIS = 150

/**
 * Local to the step. The first lines make the key's text the same as the triggers make it, whatever the connection is set
 * to. The planner must walk the index, since a table that it sorts for each range costs the square of its size. Row
 * security would hide rows in silence where it is forced; this makes it an error.
 */
const SETTINGS = {
  datestyle: 'ISO',
  timezone: 'UTC',
  intervalstyle: 'postgres',
  extra_float_digits: '3',
  lc_monetary: 'C',
  bytea_output: 'hex',
  row_security: 'off',
  jit: 'off',
  enable_seqscan: 'off',
  enable_bitmapscan: 'off',
  enable_sort: 'off',
  lock_timeout: String(LOCK_MILLIS),
} as const

/**
 * Puts at most `limit` further keys of the table on record. Zero rows and not finished: the side writes no more, or the
 * table is held by somebody for itself, so nothing was done and it may be tried again later.
 *
 * The locks come before the range is read, so that what it sees is never older than a restart of this table's backfill:
 * rows that were committed between the two would be passed over.
 */
export async function backfillStep(
  run: Run,
  m: Pick<Migration, 'name'>,
  table: MirroredTable,
  limit: number,
): Promise<BackfillStep> {
  // Both statements of one text are one transaction.
  const text = `do ${quoteLiteral(stepBlock(m.name, table, limit))};
    select split_part(z.step, ' ', 1)::int as rows, split_part(z.step, ' ', 2)::bool as finished
      from (select current_setting('cutover.backfill_step')) as z(step)`
  try {
    const [done] = await run<{ rows: number; finished: boolean }>(text)
    return done ?? { rows: 0, finished: false }
  } catch (error) {
    if (isLockFailure(error)) return { rows: 0, finished: false }
    throw error
  }
}

function stepBlock(name: string, table: MirroredTable, limit: number): string {
  const { from } = table
  const migration = quoteLiteral(name)
  const settings = Object.entries({ ...SETTINGS, search_path: searchPath(table) }).map(
    ([key, value]) => `  perform set_config('${key}', ${quoteLiteral(value)}, true);`,
  )
  // The label tells the variable from a column of the same name.
  return `
<<unit>>
declare
  before text;
  step record;
begin
${settings.join('\n')}
  perform set_config('cutover.backfill_step', '0 false', true);
  perform from cutover.side where name = ${migration} and status = 'writer' for share;
  if not found then return; end if;
  select last_key into unit.before from cutover.backfill
   where name = ${migration} and tbl = ${from.oid}::oid and finished is null for update;
  if not found then
    perform set_config('cutover.backfill_step', '0 true', true);
    return;
  end if;
  if not exists (select from pg_class where oid = ${from.oid}::oid) then
    delete from cutover.backfill where name = ${migration} and tbl = ${from.oid}::oid;
    perform set_config('cutover.backfill_step', '0 true', true);
    return;
  end if;
  if to_regclass(${quoteLiteral(quoteTable(from))}) is distinct from ${from.oid}::oid::regclass then
    raise undefined_table using message = 'the table ' || ${quoteLiteral(quoteTable(from))} || ' has another name now';
  end if;
  if unit.before is null then
${enqueue(name, table, limit, '')}
  else
${enqueue(name, table, limit, `where ${beyond(table)}`)}
  end if;
  update cutover.backfill
     set last_key = coalesce(step.last, unit.before), rows_done = rows_done + step.rows,
         finished = case when step.rows < ${limit} then clock_timestamp() end
   where name = ${migration} and tbl = ${from.oid}::oid;
  perform set_config('cutover.backfill_step', step.rows || ' ' || (step.rows < ${limit}), true);
end`
}

const enqueue = (name: string, table: MirroredTable, limit: number, where: string): string => `
    with range(key, nr) as materialized (
      select z.key, row_number() over () from (
        select ${keyText('x', names(table))} as key from ${table.from.only ? 'only ' : ''}${quoteTable(table.from)} x ${where}
         order by ${columns(table).join(', ')} limit ${limit}) z),
    put as (
      insert into cutover.${quoteIdent(recordTable(name))} (xid, tbl, key)
      select pg_current_xact_id(), ${table.from.oid}::oid, range.key from range)
    select count(*)::int as rows, (select range.key from range order by range.nr desc limit 1) as last
      into step from range;`

const names = ({ key }: MirroredTable): string[] => key.map(({ name }) => name)

const columns = (table: MirroredTable): string[] => names(table).map((name) => `x.${quoteIdent(name)}`)

/** Compared in the columns' own types and collations, which are those of the index. */
function beyond(table: MirroredTable): string {
  const last = table.key.map(({ readType }, nr) =>
    table.key.length === 1 ? `unit.before::${readType}` : `(unit.before::text[])[${nr + 1}]::${readType}`,
  )
  return `(${columns(table).join(', ')}) > (${last.join(', ')})`
}

/**
 * The type of an extension, such as citext, has operators of its own. Out of the search path Postgres takes those of a type
 * that it can be cast to, which order the keys in another way than the index does.
 */
function searchPath({ key }: MirroredTable): string {
  const schemas = new Set(['pg_catalog', ...key.map(({ readOperators }) => readOperators)])
  return [...schemas].map(quoteIdent).join(', ')
}
