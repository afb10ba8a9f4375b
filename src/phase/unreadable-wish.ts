// Says why a Postgres source cannot read its table, and what to run.
import pg from 'pg'
import { WISH_SCHEMA, WISH_TABLE, type WishTable } from './postgres-wish-table.js'

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
