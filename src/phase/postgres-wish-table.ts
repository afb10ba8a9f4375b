// The table that a Postgres source reads: its names, and the SQL that makes it.
import { createHash } from 'node:crypto'
import pg from 'pg'
import { CutoverError } from '../errors.js'
import { splitTableName } from '../options.js'

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
