// Writes rows as they were read to the other side: one text, one round trip, and only while the right to do so stands.
import { randomBytes } from 'node:crypto'
import { CONTROL_SCHEMA, quoteIdent, quoteLiteral } from '../control/names.js'
import type { Side } from '../phase/phases.js'
import { isKey } from './read-rows.js'
import { prepared } from './prepared-texts.js'
import type { PreparedStatement } from './prepared-texts.js'
import type { RowBatch } from './read-rows.js'
import { quoteTable } from './tables.js'
import type { MirroredColumn, MirroredTable } from './tables.js'

/** Who may write to a mirrored side: the relay of this generation, until the side is opened or another one takes over. */
export interface WriteGuard {
  /** The migration's. */
  readonly name: string
  /** The side that is written. */
  readonly side: Side
  readonly generation: number
}

/** What a text of ours fails with when its guard does: division by zero. */
export const GUARD_SQLSTATE = '22012'

/**
 * For the simple protocol, on a connection with the session of `sessionOf('replica')` or `sessionOf('plain')`. When it
 * fails, the transaction is left open and failed: roll it back. `replace` also deletes the rows that are written, for what
 * a unique constraint holds against writing them one after the other.
 */
export const writeText = (
  guard: WriteGuard,
  batches: readonly RowBatch[],
  how: 'usual' | 'replace',
): string =>
  transaction([guardText(guard), ...statementsOf(batches, how).map(({ text, given }) => text(given))])

/** The same as a text of statements that the session has planned. */
export function preparedWrite(
  guard: WriteGuard,
  batches: readonly RowBatch[],
): { readonly text: string; readonly statements: readonly PreparedStatement[] } {
  const guarding = prepared('', guardText(guard))
  const all = statementsOf(batches, 'usual').map(({ text, types, given }) => {
    const statement = prepared(types.join(', '), text(types.map((_, index) => `$${index + 1}`)))
    return { statement, call: `execute ${statement.name} (${given.join(', ')})` }
  })
  return {
    text: transaction([`execute ${guarding.name}`, ...all.map(({ call }) => call)]),
    statements: [guarding, ...all.map(({ statement }) => statement)],
  }
}

/** One statement: its text with SQL for each of its arrays, their types, and what they are. */
interface Statement {
  readonly text: (arrays: readonly string[]) => string
  readonly types: readonly string[]
  readonly given: readonly string[]
}

function statementsOf(batches: readonly RowBatch[], how: 'usual' | 'replace'): Statement[] {
  // Always in the same order, so that two texts never wait for each other.
  const ordered = batches.toSorted((one, other) => compareNames(one.table, other.table))
  const replaced = (batch: RowBatch): boolean => how === 'replace' || batch.table.write === 'replace'
  const statements: Statement[] = []
  for (const batch of ordered) {
    if (batch.gone !== undefined) statements.push(deleteGone(batch.table, batch.gone))
    if (replaced(batch) && batch.rows > 0) statements.push(deleteRows(batch))
  }
  const seen = new Set<MirroredTable>()
  for (const batch of ordered) {
    if (batch.rows === 0) continue
    // An earlier batch may have the row under a key that is equal and written otherwise.
    if (replaced(batch) && seen.has(batch.table)) statements.push(deleteRows(batch))
    seen.add(batch.table)
    statements.push(insertRows(batch, replaced(batch)))
  }
  return statements
}

/** No transaction may take as long as a large table does. */
const CLEAR_ROWS = 20_000

/** Deletes rows of a table, whichever they are, with the same guard: all, unless there are many. */
export const clearText = (guard: WriteGuard, table: MirroredTable): string =>
  transaction([
    guardText(guard),
    `delete from ${target(table)} x where x.ctid = any (array(select y.ctid from ${target(table)} y limit ${CLEAR_ROWS}))`,
  ])

const transaction = (statements: readonly string[]): string => ['begin', ...statements, 'commit'].join(';\n')

// Held until the commit: who opens the side, or takes over, waits for it.
const guardText = ({ name, side, generation }: WriteGuard): string =>
  `select 1 / count(*) from (select from ${CONTROL_SCHEMA}.side where name = ${quoteLiteral(name)}
 and identity = '${side}' and status in ('mirror', 'moved') and relay_generation = ${generation} for share) z`

function compareNames({ to: one }: MirroredTable, { to: other }: MirroredTable): number {
  const [a, b] = [quoteTable(one), quoteTable(other)]
  return a < b ? -1 : a > b ? 1 : 0
}

const deleteGone = (table: MirroredTable, gone: string): Statement => ({
  text: ([keys]) =>
    `delete from ${target(table)} x using unnest(${keys}) z(zk) where ${isKey(table, 'write', 'z.zk')}`,
  types: ['text[]'],
  given: [`${quoteArray(gone)}::text[]`],
})

function deleteRows({ table, columns }: RowBatch): Statement {
  const { key } = table
  const same = key.map(
    (column, index) =>
      `x.${quoteIdent(column.name)} operator(${quoteIdent(column.writeOperators)}.=) ${asValue(column, `u.c${index + 1}`)}`,
  )
  return {
    text: (arrays) =>
      `delete from ${target(table)} x using unnest(${arrays.join(', ')}) u(${places(key)}) where ${same.join(' and ')}`,
    ...arraysOf(key, (column) => columns[table.columns.findIndex(({ name }) => name === column.name)]),
  }
}

function insertRows({ table, columns: literals }: RowBatch, replaced: boolean): Statement {
  const { to, key, columns } = table
  const names = columns.map(({ name }) => quoteIdent(name))
  const conflict = replaced
    ? ''
    : ` on conflict (${key.map(({ name }) => quoteIdent(name)).join(', ')}) do update set ${names
        .map((name) => `${name} = excluded.${name}`)
        .join(', ')}`
  return {
    // The alias, since a table may be called "excluded".
    text: (arrays) => `insert into ${quoteTable(to)} as x (${names.join(', ')}) overriding system value
select ${columns.map((column, index) => asValue(column, `u.c${index + 1}`)).join(', ')}
 from unnest(${arrays.join(', ')}) u(${places(columns)})${conflict}`,
    ...arraysOf(columns, (_, index) => literals[index]),
  }
}

function arraysOf(
  columns: readonly MirroredColumn[],
  literal: (column: MirroredColumn, index: number) => string | undefined,
): Pick<Statement, 'types' | 'given'> {
  const types = columns.map(arrayType)
  const given = columns.map(
    (column, index) => `${quoteArray(literal(column, index) ?? '{}')}::${types[index]}`,
  )
  return { types, given }
}

const target = ({ to }: MirroredTable): string => `${to.only ? 'only ' : ''}${quoteTable(to)}`

const places = (columns: readonly MirroredColumn[]): string =>
  columns.map((_, index) => `c${index + 1}`).join(', ')

const isByte = ({ readType, writeType }: MirroredColumn): boolean =>
  readType === '"char"' && writeType === '"char"'

// As elements of an array of its own type a value is read by the type's own input. A cast from text may be a function that
// does not take all of what the type prints, as that to regclass does.
const arrayType = (column: MirroredColumn): string =>
  `${isByte(column) ? 'int4' : column.listed ? column.writeType : 'text'}[]`

const asValue = (column: MirroredColumn, value: string): string =>
  isByte(column) ? `${value}::"char"` : column.listed ? value : `${value}::${column.writeType}`

let tag = '$r$'

// In dollars nothing has to be escaped, whatever the server's settings: megabytes of it took longer than all else. The tag is
// a random one once data has it, so that no data can be made to have it. An array's text neither begins nor ends with a dollar.
function quoteArray(literal: string): string {
  while (literal.includes(tag)) tag = `$r${randomBytes(8).toString('hex')}$`
  return `${tag}${literal}${tag}`
}
