// Which tables a migration covers: those named, closed over every parent and child, in the one fixed order for locks.
import type { Run } from '../control/control-connection.js'
import { CONTROL_SCHEMA, quoteLiteral } from '../control/names.js'
import { CutoverError } from '../errors.js'
import { WISH_SCHEMA } from '../phase/postgres-wish-table.js'
import { splitTableName } from '../options.js'

export interface ScopedTable {
  readonly oid: number
  readonly schema: string
  readonly name: string
  /** `r`: ordinary, or a partition that holds rows; `p`: partitioned, holds none itself. */
  readonly kind: 'r' | 'p'
}

/** Never the application's own data, whatever the scope says. */
export const FOREIGN_SCHEMAS = [
  'pg_catalog',
  'information_schema',
  'pg_toast',
  CONTROL_SCHEMA,
  WISH_SCHEMA,
] as const

export function parseTableName(text: string): { readonly schema: string; readonly name: string } {
  const split = splitTableName(text)
  if (split) return split
  throw new CutoverError('ERR_OPTION', `tables: got "${text}", expected "schema.table"`)
}

/**
 * The tables in scope, sorted by schema and name. Parents and children belong to it whether named or not: a write
 * through a partition's root, or into an inheritance child, reaches rows that a fence on the named table does not guard.
 * Throws `ERR_OPTION` naming the tables that are not there.
 */
export async function readScope(run: Run, tables: readonly string[] | undefined): Promise<ScopedTable[]> {
  const found = await run<{ oid: number; schema: string; name: string; kind: 'r' | 'p' }>(scopeSql(tables))
  const has = new Set(found.map((table) => JSON.stringify([table.schema, table.name])))
  const missing = (tables ?? []).filter((text) => {
    const { schema, name } = parseTableName(text)
    return !has.has(JSON.stringify([schema, name]))
  })
  if (missing.length > 0)
    throw new CutoverError(
      'ERR_OPTION',
      `tables: no permanent table ${missing.map((text) => `"${text}"`).join(', ')} in this database`,
      { details: { missing } },
    )
  return found
}

/** The same as one query without parameters, for use inside a DO block or a function: columns oid, schema, name, kind. */
export function scopeSql(tables: readonly string[] | undefined): string {
  return `
with recursive seed(oid) as (${tables === undefined ? EVERY_TABLE : namedTables(tables)}),
kin(one, other) as (
  select inhparent, inhrelid from pg_catalog.pg_inherits
  union all select inhrelid, inhparent from pg_catalog.pg_inherits),
closure(oid) as (select oid from seed union select kin.other from closure join kin on kin.one = closure.oid)
select c.oid, n.nspname::text as schema, c.relname::text as name, c.relkind::text as kind
  from closure join pg_catalog.pg_class c on c.oid = closure.oid
  join pg_catalog.pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p') and c.relpersistence = 'p'
 order by n.nspname::text collate "C", c.relname::text collate "C"`
}

/** True for a relation `class` in namespace `namespace` that is the application's own, not Postgres's, ours or an extension's. */
export const ownRelation = (relation: string, namespace: string): string =>
  `${namespace}.nspname not in (${FOREIGN_SCHEMAS.map(quoteLiteral).join(', ')})
   and ${namespace}.nspname not like 'pg\\_temp%' and ${namespace}.nspname not like 'pg\\_toast%'
   and not exists (select from pg_catalog.pg_depend d
     where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = ${relation}.oid and d.deptype = 'e')`

const EVERY_TABLE = `
  select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   where c.relkind in ('r', 'p') and c.relpersistence = 'p' and ${ownRelation('c', 'n')}`

function namedTables(tables: readonly string[]): string {
  const named = tables.map(parseTableName).map(({ schema, name }) => {
    return `(${quoteLiteral(schema)}, ${quoteLiteral(name)})`
  })
  if (named.length === 0) return 'select 0::pg_catalog.oid where false'
  return `
  select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
   where c.relkind in ('r', 'p') and (n.nspname::text, c.relname::text) in (${named.join(', ')})`
}
