// Reads the current rows of recorded keys on the writer, as literals that the other side can take in without a change.
import { createHash } from 'node:crypto'
import type { Row, Run } from '../control/control-connection.js'
import { quoteIdent } from '../control/names.js'
import { quoteTable } from './tables.js'
import type { MirroredColumn, MirroredTable } from './tables.js'

/** The state of some keys of one table, as of one snapshot. */
export interface RowBatch {
  readonly table: MirroredTable
  /** How many of the keys, from the first on, it covers: fewer than asked for where their rows are large. */
  readonly taken: number
  /** Keys for which the writer has no row that is written so: an array literal, undefined for none. */
  readonly gone: string | undefined
  readonly rows: number
  /** One array literal for each of the table's columns, all with as many elements as there are rows. */
  readonly columns: readonly string[]
  /** About what it takes to send it. */
  readonly bytes: number
}

/**
 * One statement. `run` is a connection with the session of `sessionOf('read')`. Where `maxBytes` is given, it stops at the
 * key with which the rows exceed about as many bytes; the first key is always covered.
 */
export async function readRows(
  run: Run,
  table: MirroredTable,
  keys: readonly string[],
  maxBytes?: number,
): Promise<RowBatch> {
  const places = new Map<string, number>()
  for (const [place, key] of keys.entries()) if (!places.has(key)) places.set(key, place)
  const distinct = [...places.keys()]
  const values = maxBytes === undefined ? [distinct] : [distinct, maxBytes]
  const { text, name } = textFor(table, maxBytes !== undefined)
  const [found] = await run(text, values, name)
  const batch = batchOf(table, found)
  // Up to the first key that is not covered, the others are or say again what is.
  const next = distinct[batch.taken]
  return { ...batch, taken: next === undefined ? keys.length : (places.get(next) ?? 0) }
}

/** What a reading has given; `taken` counts distinct keys. */
export function batchOf(table: MirroredTable, row: Row | undefined): RowBatch {
  const found = row as
    | { taken: number; gone: string | null; rows: number; [literal: string]: unknown }
    | undefined
  const gone = found?.gone ?? undefined
  const rows = found?.rows ?? 0
  // Each a column of the answer, since the client would take an array apart.
  const columns = rows === 0 ? [] : table.columns.map((_, index) => String(found?.[`c${index + 1}`]))
  const bytes = columns.reduce((sum, literal) => sum + literal.length, gone?.length ?? 0)
  return { table, taken: found?.taken ?? 0, gone, rows, columns, bytes }
}

/**
 * Of these, two values that are equal are written alike. Of others, such as numeric (1.0 and 1.00) or text in a
 * case-insensitive collation, the record may name one row in two ways.
 */
const ONE_FORM: ReadonlySet<string> = new Set(['smallint', 'integer', 'bigint', 'oid', 'uuid', 'boolean'])

const FIXED_SIZE: ReadonlySet<string> = new Set([
  ...ONE_FORM,
  'real',
  'double precision',
  'money',
  '"char"',
  'date',
  'interval',
  'time without time zone',
  'timestamp without time zone',
  'timestamp with time zone',
])

/** In bytes; it stands for all columns of fixed size. */
const ROW_SIZE = 32

interface ReadText {
  readonly text: string
  readonly name: string
}

// To plan it takes longer than to read a few rows by it.
const texts = new WeakMap<MirroredTable, Map<boolean, ReadText>>()

function textFor(table: MirroredTable, bounded: boolean): ReadText {
  const known = texts.get(table) ?? new Map<boolean, ReadText>()
  texts.set(table, known)
  const found = known.get(bounded)
  if (found) return found
  const text = readText(table, '$1::text[]', bounded ? '$2' : undefined)
  const made = { text, name: `cutover_read_${createHash('sha256').update(text).digest('hex').slice(0, 32)}` }
  known.set(bounded, made)
  return made
}

/**
 * `keys` is SQL for an array of texts, `maxBytes` for the bound. All names but those of the table's own columns are ours,
 * and those are always qualified: any name may be a column's.
 */
export function readText(table: MirroredTable, keys: string, maxBytes: string | undefined): string {
  const { from, key, columns } = table
  const place = new Map(columns.map(({ name }, index) => [name, `c${index + 1}`]))
  const keyColumns = key.map(({ name }) => place.get(name) ?? '')
  const oneForm = key.every(({ readType }) => ONE_FORM.has(readType))
  const found = columns.map(({ name }, index) => `x.${quoteIdent(name)} as c${index + 1}`)
  // The limit keeps it a look-up by the index, one key after the other.
  const look = `
  select z.zk, z.place, y.* from unnest(${keys}) with ordinality z(zk, place) left join lateral (
    select true as hit, ${found.join(', ')} from ${from.only ? 'only ' : ''}${quoteTable(from)} x
     where ${isKey(table, 'read', 'z.zk')} limit 1) y on true`
  const size = columns
    .filter(({ readType }) => !FIXED_SIZE.has(readType))
    .map(({ name, readType }) => sizeOf(place.get(name) ?? '', readType))
  const bytes = [ROW_SIZE, ...size].join(' + ')
  const keyText =
    keyColumns.length === 1
      ? `${keyColumns[0] ?? ''}::text`
      : `array[${keyColumns.map((column) => `${column}::text`).join(', ')}]::text`
  const gone = oneForm ? 'hit is null' : `hit is null or zk is distinct from ${keyText}`
  const literals = columns.map(
    (column, index) => `array_agg(${textOf(column, `c${index + 1}`)})::text as c${index + 1}`,
  )
  const rows = oneForm
    ? 'select * from w where hit'
    : `select distinct on (${keyColumns.join(', ')}) * from w where hit`
  const covered =
    maxBytes === undefined ? '(select * from s)' : `materialized (${coveredText(bytes, maxBytes)})`
  return `with s as materialized (${look}), w as ${covered}
select (select count(*)::int4 from w) as taken, (select array_agg(zk)::text from w where ${gone}) as gone,
  count(*)::int4 as rows, ${literals.join(', ')}
  from (${rows}) d`
}

// As a rule all of them fit, which is known without their sums in order.
const coveredText = (bytes: string, maxBytes: string): string => {
  const sums = `select place, sum(${bytes}) over (order by place rows unbounded preceding) as total from s`
  return `select * from s where s.place <= case when (select sum(${bytes}) <= ${maxBytes} from s) then ${MAX_INT8}
    else greatest(1, (select max(c.place) from (${sums}) c where c.total <= ${maxBytes})) end`
}

const MAX_INT8 = '9223372036854775807'

/** Whether `x` is the row that the record names by `text`. */
export function isKey({ key }: MirroredTable, on: 'read' | 'write', text: string): string {
  return key
    .map((column, index) => {
      const [type, operators] =
        on === 'read' ? [column.readType, column.readOperators] : [column.writeType, column.writeOperators]
      const value = key.length === 1 ? text : `(${text}::text[])[${index + 1}]`
      return `x.${quoteIdent(column.name)} operator(${quoteIdent(operators)}.=) ${value}::${type}`
    })
    .join(' and ')
}

/** A type's own text, which its input takes back; NULL for NULL. */
function textOf({ readType, writeType }: MirroredColumn, value: string): string {
  // Before 16 it prints a byte above 127 as it is, which is no text in any encoding.
  if (readType === '"char"' && writeType === '"char"') return `${value}::int4::text`
  // Its cast to text drops trailing blanks; a user's own type may have any cast to text. `is null` is also said of a row of NULLs.
  if (readType === 'bpchar' || readType.includes('.'))
    return `case when ${value} is distinct from null then format('%s', ${value}) end`
  return `${value}::text`
}

// Before anything is fetched from where long values are kept.
const sizeOf = (value: string, type: string): string =>
  type === 'text' || type === 'character varying' || type === 'bpchar'
    ? `coalesce(octet_length(${value}), 0)`
    : type === 'bytea'
      ? `coalesce(octet_length(${value}), 0) * 2`
      : `coalesce(pg_column_size(${value}), 0)`
