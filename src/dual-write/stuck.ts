// What the other side refuses: named on the writer, left on record, tried again, and passed over only if somebody says so.
import type { Run } from '../control/control-connection.js'
import { quoteLiteral } from '../control/names.js'
import type { Refusal } from './carry-apart.js'
import { recordOf } from './relay-record.js'
import { messageOf, sqlstateOf } from './relay-trouble.js'
import { quoteTable } from './tables.js'

/** One row, or one table, that the other side refuses. */
export interface StuckRow {
  /** The table on the side that writes. */
  readonly oid: number
  /** `schema.table`, as it was called when the row was refused. */
  readonly table: string
  /** As the record names the row; undefined where it is all of the table. */
  readonly key: string | undefined
  readonly sqlstate: string
  readonly message: string
  readonly since: Date
  /** Somebody has decided to do without it. */
  readonly setAside: boolean
}

/** Of the migration; those that were refused first come first. */
export async function readStuck(run: Run, name: string, limit = 1_000): Promise<StuckRow[]> {
  const rows = await run<{
    oid: number
    table: string
    key: string | null
    sqlstate: string
    message: string
    since: Date
    aside: boolean
  }>(
    `select tbl::int8::float8 as oid, table_name as table, key, sqlstate, message, since, set_aside is not null as aside
       from cutover.stuck where name = $1 order by set_aside is not null, since, tbl, key limit $2`,
    [name, limit],
  )
  return rows.map(({ oid, table, key, sqlstate, message, since, aside }) => ({
    oid,
    table,
    key: key ?? undefined,
    sqlstate,
    message,
    since,
    setAside: aside,
  }))
}

/** Which of them: all of the migration, those of a table, or one row. */
export interface StuckChoice {
  readonly oid?: number
  readonly key?: string
}

/**
 * Does without the other side's having these rows as they are now: they are on record no more. A later change of such a
 * row is tried like any other. `run` belongs to the side that writes; the number of rows and tables is given.
 */
export const setAside = (run: Run, name: string, choice: StuckChoice = {}): Promise<number> =>
  numberOf(
    run,
    `with aside as (
       update cutover.stuck s set set_aside = clock_timestamp() where ${CHOSEN} and s.set_aside is null returning s.tbl, s.key),
     forgotten as (
       delete from ${recordOf(name)} r using aside a where r.tbl = a.tbl and (a.key is null or r.key = a.key))
     select count(*)::int as number from aside`,
    name,
    choice,
  )

/**
 * Has these tried again at once. Rows that were set aside are put on record again. Of a table that was set aside nobody
 * knows which rows have gone meanwhile, so it is brought over anew as after a TRUNCATE.
 */
export const tryAgain = (run: Run, name: string, choice: StuckChoice = {}): Promise<number> =>
  numberOf(
    run,
    `with again as (delete from cutover.stuck s where ${CHOSEN} returning s.tbl, s.key, s.set_aside),
     recorded as (
       insert into ${recordOf(name)} (xid, tbl, key, whole)
       select pg_current_xact_id(), a.tbl, a.key, a.key is null from again a
        where a.set_aside is not null and exists (select from pg_class c where c.oid = a.tbl))
     select count(*)::int as number from again`,
    name,
    choice,
  )

const CHOSEN = `s.name = $1 and ($2::int8 is null or s.tbl = $2::int8::oid) and ($3::text is null or s.key = $3)`

async function numberOf(run: Run, text: string, name: string, { oid, key }: StuckChoice): Promise<number> {
  const [row] = await run<{ number: number }>(text, [name, oid ?? null, key ?? null])
  return row?.number ?? 0
}

/** SQL, true for a record `r` that waits until what is stuck can be written. */
export const isStuckSql = (name: string): string => `(
    r.tbl in (select s.tbl from cutover.stuck s where s.name = ${quoteLiteral(name)} and s.set_aside is null and s.key is null)
    or r.key is not null and (r.tbl, r.key) in (select s.tbl, s.key from cutover.stuck s
      where s.name = ${quoteLiteral(name)} and s.set_aside is null and s.key is not null))`

/** The SQLSTATE of what we refuse ourselves: a table that is on record and not mirrored. */
const NOT_MIRRORED = '42P01'

/** Names them. What was stuck before keeps the time at which it was first. */
export async function noteStuck(run: Run, name: string, refusals: readonly Refusal[]): Promise<void> {
  await run(
    `insert into cutover.stuck as s (name, tbl, table_name, key, sqlstate, message)
     select distinct on (z.tbl, z.key) $1, z.tbl, z.table_name, z.key, z.sqlstate, z.message
       from unnest($2::oid[], $3::text[], $4::text[], $5::text[], $6::text[]) as z(tbl, table_name, key, sqlstate, message)
     on conflict (name, tbl, coalesce(pg_catalog.md5(key), '')) do update
        set sqlstate = excluded.sqlstate, message = excluded.message, set_aside = null,
            since = case when s.set_aside is null then s.since else excluded.since end`,
    [
      name,
      refusals.map(({ table }) => table.oid),
      refusals.map(({ table }) => `${table.schema}.${table.name}`),
      refusals.map(({ key }) => key ?? null),
      refusals.map(({ error }) => sqlstateOf(error) ?? NOT_MIRRORED),
      refusals.map(({ error }) => messageOf(error)),
    ],
  )
}

/** They are as the writer has them, or will be by what is on record. */
export async function forgetStuck(run: Run, name: string, rows: readonly StuckRow[]): Promise<void> {
  await run(
    `delete from cutover.stuck s using unnest($2::oid[], $3::text[]) as z(tbl, key)
      where s.name = $1 and s.tbl = z.tbl and s.key is not distinct from z.key`,
    [name, rows.map(({ oid }) => oid), rows.map(({ key }) => key ?? null)],
  )
}

/** One line for a person: what, and why. */
export function describeStuck(refusals: readonly Refusal[]): string {
  const named = refusals.slice(0, 3).map(({ table, key, error }) => {
    const what = key === undefined ? `all of ${quoteTable(table)}` : `${quoteTable(table)} ${key}`
    return `${what} (${sqlstateOf(error) ?? NOT_MIRRORED}: ${messageOf(error)})`
  })
  return `${named.join('; ')}${refusals.length > 3 ? `; and ${refusals.length - 3} more` : ''}`
}
