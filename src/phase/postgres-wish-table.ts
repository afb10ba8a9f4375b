// The table that a Postgres source reads: its names, the SQL that makes it, and what is missing where it cannot be read.
import { createHash } from 'node:crypto'
import pg from 'pg'
import { CutoverError } from '../errors.js'
import { splitTableName } from './table-name.js'

/**
 * Never in a migration's scope: a table that is fenced with the side being left could not ask for the way back. Apart
 * from the control schema, which belongs to the coordinator's role and is dropped with the migration.
 */
export const WISH_SCHEMA = 'cutover_source'

export const WISH_TABLE = `${WISH_SCHEMA}.wish`

export interface WishTable {
  /** For messages. */
  readonly name: string
  /** For SQL, as is `quoted`. */
  readonly schema: string
  readonly quoted: string
  /** Where its changes are announced. */
  readonly channel: string
}

/** The names of a table that is given as `schema.table`. Throws `ERR_OPTION`. */
export function wishTable(table: string, where: string): WishTable {
  const { schema, name } = parts(table, where)
  return {
    name: table,
    schema: quote(schema),
    quoted: `${quote(schema)}.${quote(name)}`,
    channel: channelOf(`pg-cutover ${schema}.${name}`),
  }
}

/**
 * The SQL that makes the table of {@link postgresSource} and has each change of it announced at once. It may be run again
 * and changes no row. `table` is `schema.table`; default `cutover_source.wish`, whose schema is made too. Throws
 * `ERR_OPTION`.
 */
export function postgresSourceSql(table: string = WISH_TABLE): string {
  const { schema, name } = parts(table, 'postgresSourceSql: ')
  const { quoted, channel } = wishTable(table, '')
  const trigger = quote(`${name}_notify`)
  const announce = `${quote(schema)}.${trigger}`
  return `${schema === WISH_SCHEMA ? `create schema if not exists ${WISH_SCHEMA};\n` : ''}\
create table if not exists ${quoted} (
  name text primary key,
  phase text not null
);
create or replace function ${announce}() returns trigger language plpgsql set search_path = '' as $$
begin
  perform pg_catalog.pg_notify(tg_argv[0], '');
  return null;
end
$$;
create or replace trigger ${trigger}
  after insert or update or delete or truncate on ${quoted}
  for each statement execute function ${announce}(${pg.escapeLiteral(channel)});
`
}

/** What to do where there is no row for the migration. */
export const noRow = (table: WishTable, migration: string): string =>
  `${table.name} has no row for "${migration}"; run: insert into ${table.quoted} (name, phase) values (${pg.escapeLiteral(migration)}, 'old')`

/** Why the table cannot be read and what to do; undefined where the connection itself has failed. */
export function whyUnreadable(table: WishTable, error: unknown): string | undefined {
  if (!(error instanceof pg.DatabaseError) || error.code === undefined) return undefined
  // The server ends the connection with these: it shuts down, crashes, or an operator has sent us away.
  if (/^(57P|08)/.test(error.code)) return undefined
  return `${table.name} cannot be read: ${error.message}${REMEDIES[error.code]?.(table) ?? ''}`
}

const make = ({ name, quoted }: WishTable): string =>
  `; run the SQL of postgresSourceSql(${name === WISH_TABLE ? '' : `'${name}'`}), at the least: ` +
  `${name === WISH_TABLE ? `create schema ${WISH_SCHEMA}; ` : ''}create table ${quoted} (name text primary key, phase text not null)`

const grant = ({ schema, quoted }: WishTable): string =>
  `; run: grant usage on schema ${schema} to <role>; grant select on ${quoted} to <role>`

const REMEDIES: Readonly<Record<string, (table: WishTable) => string>> = {
  // undefined_table, undefined_column, insufficient_privilege
  '42P01': make,
  '42703': make,
  '42501': grant,
}

function parts(table: string, where: string): { readonly schema: string; readonly name: string } {
  const split = splitTableName(table)
  if (split) return split
  throw new CutoverError('ERR_OPTION', `${where}table is "${table}"; expected "schema.table"`)
}

// These read better bare, and are no keywords.
const PLAIN: ReadonlySet<string> = new Set([WISH_SCHEMA, 'wish', 'wish_notify', 'public'])

const quote = (identifier: string): string =>
  PLAIN.has(identifier) ? identifier : pg.escapeIdentifier(identifier)

const MOST_CHANNEL_BYTES = 63

/** The server cuts a longer name off at LISTEN and refuses it at NOTIFY. */
function channelOf(text: string): string {
  if (Buffer.byteLength(text) <= MOST_CHANNEL_BYTES) return text
  return `pg-cutover ${createHash('sha256').update(text).digest('hex').slice(0, 32)}`
}
