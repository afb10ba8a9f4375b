// Reads the record of changed keys in the snapshot in which the rows are read, and forgets exactly what was read.
import type { Run } from '../control/control-connection.js'
import { CONTROL_SCHEMA, quoteIdent, quoteLiteral, recordTable } from '../control/names.js'
import type { SideStatus } from '../control/side-row.js'
import { prepared } from './prepared-texts.js'
import type { PreparedStatement } from './prepared-texts.js'

/** Records of one table; the same place in each list is one record. */
export interface Entries {
  readonly table: number
  readonly name: { readonly schema: string; readonly name: string }
  /** Of its columns, their order and types; undefined where the table is gone. Another one: it was changed. */
  readonly shape: string | undefined
  readonly places: readonly string[]
  readonly xids: readonly string[]
  readonly keys: readonly string[]
}

/** The records that say that a table was emptied. */
export type Marker = Omit<Entries, 'keys'>

/** What one snapshot shows of the record. */
export interface Look {
  readonly status: SideStatus | undefined
  /** Every transaction below `horizon` has ended; none from `next` on is seen. */
  readonly horizon: bigint
  readonly next: bigint
  /** The writer's WAL, behind everything that the snapshot sees. */
  readonly position: string
  /** One for each table that was emptied; of these nothing else is given. */
  readonly emptied: readonly Marker[]
  readonly entries: readonly Entries[]
  readonly rows: number
}

export interface LookOptions {
  /** Nothing below it is on record but what is left out. */
  readonly low: bigint
  readonly limit: number
  /** SQL, true for the records `r` that are to be left where they are. */
  readonly leaveOut?: string
}

export const recordOf = (name: string): string =>
  `${quoteIdent(CONTROL_SCHEMA)}.${quoteIdent(recordTable(name))}`

/** Begins the snapshot; the caller ends the transaction. */
export async function lookAtRecord(run: Run, name: string, options: LookOptions): Promise<Look> {
  const { low, limit, leaveOut } = options
  const text = lookSql(name, `'${low}'`, String(limit), leaveOut)
  return lookOf(await run<LookRow>(`begin isolation level repeatable read read only; ${text}`))
}

/** The rows that the SQL of a look has given. */
export function lookOf(rows: readonly LookRow[]): Look {
  const [head] = rows
  if (!head) throw new Error('a look at the record gave no row')
  const lists = rows.flatMap((row) => {
    const { tbl, shape, whole, places, xids, keys } = row
    if (tbl === null || places === null || xids === null) return []
    return [
      {
        table: tbl,
        name: { schema: row.schema ?? '', name: row.name ?? String(tbl) },
        shape: shape ?? undefined,
        whole,
        places: listed(places),
        xids: listed(xids),
        keys: keys ?? [],
      },
    ]
  })
  const entries = lists.filter(({ whole }) => whole !== true)
  return {
    status: head.status ?? undefined,
    horizon: BigInt(head.horizon),
    next: BigInt(head.next),
    position: head.position,
    emptied: lists.filter(({ whole }) => whole === true),
    entries,
    rows: entries.reduce((sum, { keys }) => sum + keys.length, 0),
  }
}

export interface LookRow extends Record<string, unknown> {
  readonly status: SideStatus | null
  readonly horizon: string
  readonly next: string
  readonly position: string
  readonly tbl: number | null
  readonly schema: string | null
  readonly name: string | null
  readonly shape: string | null
  readonly whole: boolean | null
  readonly places: string | null
  readonly xids: string | null
  readonly keys: string[] | null
}

/**
 * Of a table's columns. Types belong to it: a value that is written as one of the type before may be cut short in silence,
 * as that of a timestamp where there was a date.
 */
export const shapeSql = (oid: string): string => `(
  select sum(hashtextextended(a.attname || ' ' || a.atttypid, a.attnum))::text
    from pg_attribute a where a.attrelid = ${oid} and a.attnum > 0)`

/** Local to the session: the `position` of the look before. */
export const POSITION_SETTING = 'cutover.relay_position'

// Markers outrank the limit: a record that was taken before a marker was seen would be undone by it.
/** `low` and `limit` are SQL. */
export const lookSql = (name: string, low: string, limit: string, leaveOut = 'false'): string => `
  select (select status from cutover.side where name = ${quoteLiteral(name)}) as status,
    pg_snapshot_xmin(pg_current_snapshot())::text as horizon, pg_snapshot_xmax(pg_current_snapshot())::text as next,
    set_config('${POSITION_SETTING}', case when d.tbl is null then '0/0' else pg_current_wal_insert_lsn()::text end, false) as position,
    d.tbl::int8::float8 as tbl, d.whole, d.places, d.xids, d.keys,
    ${shapeSql('c.oid')} as shape, c.relnamespace::regnamespace::text as schema, c.relname::text as name
  from (select) head left join (
    select tbl, whole, array_agg(ctid)::text as places, array_agg(xid)::text as xids, array_agg(key) as keys
      from (
        (select r.ctid, r.xid, r.tbl, r.key, r.whole from ${recordOf(name)} r where r.whole and not (${leaveOut}))
        union all
        (${recordedSql(name, low, limit, `(${leaveOut}) or r.tbl = any (array(select w.tbl from ${recordOf(name)} w where w.whole))`)})) seen
     group by tbl, whole) d on true left join pg_class c on c.oid = d.tbl`

/** Without what was emptied; all of it is SQL. */
export const recordedSql = (name: string, low: string, limit: string, leaveOut = 'false'): string => `
  select r.ctid, r.xid, r.tbl, r.key, r.whole from ${recordOf(name)} r
   where r.xid >= ${low} and not r.whole and not (${leaveOut}) order by r.xid limit ${limit}`

/** The text form of an array of numbers or of places, neither of which contains what would have to be escaped. */
const listed = (text: string): string[] =>
  text.startsWith('{"') ? text.slice(2, -2).split('","') : text.slice(1, -1).split(',')

/** Whether anything is on record from `low` on, as cheaply as it can be asked. */
export const anythingSql = (name: string, low: bigint): string => `
  select exists(select from ${recordOf(name)} where xid >= '${low}') as any,
    (select status from cutover.side where name = ${quoteLiteral(name)}) as status`

/**
 * The places find the records quickly, and do not say which they are: another may have taken a place, where the record was
 * rewritten. A record may go if its transaction was seen, as every transaction of these records was, and its key was
 * carried over. The CASE keeps the index on transactions out of it, which knows too many of one.
 */
const forgetSql = (name: string, places: string, table: string, xids: string, keys: string): string =>
  `delete from ${recordOf(name)} where ctid = any (${places})
     and case when not whole and tbl = ${table} then xid end = any (${xids}) and key = any (${keys})`

const literalsOf = ({ table, places, xids, keys }: Entries) =>
  [
    placesLiteral(places),
    String(table),
    `'{${[...new Set(xids)].join(',')}}'::xid8[]`,
    `${quoteLiteral(textArray(keys))}::text[]`,
  ] as const

/** One text for all. */
export async function forget(run: Run, name: string, entries: readonly Entries[]): Promise<void> {
  const statements = entries
    .filter(({ keys }) => keys.length > 0)
    .map((one) => forgetSql(name, ...literalsOf(one)))
  if (statements.length > 0) await run(statements.join(';\n'))
}

/** Of few records at a time: only literals are looked up by their hash. */
const FEW = 64

/** The same as texts that are prepared, but for those of many records. */
export function forgettingFew(
  name: string,
  entries: readonly Entries[],
): { readonly texts: readonly string[]; readonly statements: readonly PreparedStatement[] } {
  const few = prepared('tid[], oid, xid8[], text[]', forgetSql(name, '$1', '$2', '$3', '$4'))
  const texts = entries
    .filter(({ keys }) => keys.length > 0)
    .map((one) => {
      const given = literalsOf(one)
      return one.keys.length > FEW ? forgetSql(name, ...given) : `execute ${few.name} (${given.join(', ')})`
    })
  return { texts, statements: texts.length > 0 ? [few] : [] }
}

const placesLiteral = (places: readonly string[]): string => `'{"${places.join('","')}"}'::tid[]`

/** An array literal, to be quoted. */
export const textArray = (texts: Iterable<string>): string =>
  `{${Array.from(texts, (text) => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`).join(',')}}`

/** Forgets that a table was emptied. A later emptying has a marker of its own. */
export const forgetEmptiedSql = (name: string, { places, xids, table }: Marker): string =>
  `delete from ${recordOf(name)} where ctid = any (${placesLiteral(places)})
     and case when whole and tbl = ${table} then xid end = any ('{${xids.join(',')}}'::xid8[])`

/** Those of what was tried, which may be fewer keys. */
export function carriedOf(
  entries: Entries,
  tried: { readonly keys: readonly string[] } | undefined,
): Entries {
  const keys = new Set(tried?.keys)
  return entries.keys.every((key) => keys.has(key)) ? entries : pick(entries, (key) => keys.has(key))
}

export function pick(entries: Entries, isMeant: (key: string) => boolean): Entries {
  const places: string[] = []
  const xids: string[] = []
  const keys: string[] = []
  entries.keys.forEach((key, index) => {
    if (!isMeant(key)) return
    places.push(entries.places[index] ?? '')
    xids.push(entries.xids[index] ?? '')
    keys.push(key)
  })
  return { ...entries, places, xids, keys }
}

/**
 * The lowest transaction id that may be on record still, when what was `carried` of a look is forgotten. A look gives the
 * records of the lowest ids, so one that was full has said nothing of those beyond its last.
 */
export function lowestLeft(look: Look, carried: readonly Entries[], isFull: boolean): bigint | undefined {
  const left: bigint[] = []
  look.entries.forEach((entries, index) => {
    if (carried[index] === entries) return
    const places = new Set(carried[index]?.places)
    if (places.size === entries.places.length) return
    entries.xids.forEach((xid, nr) => {
      if (!places.has(entries.places[nr] ?? '')) left.push(BigInt(xid))
    })
  })
  if (isFull) left.push(highest(look.entries))
  return left.reduce<bigint | undefined>(
    (lowest, xid) => (lowest === undefined || xid < lowest ? xid : lowest),
    undefined,
  )
}

function highest(entries: readonly Entries[]): bigint {
  let last = '0'
  // As numbers, without making thousands of them.
  for (const { xids } of entries)
    for (const xid of xids)
      if (xid.length > last.length || (xid.length === last.length && xid > last)) last = xid
  return BigInt(last)
}
