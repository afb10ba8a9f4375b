// Which tables are mirrored by dual-write, and how: the name on each side, the key of the record, and the columns.
import type { Run } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import { quoteIdent } from '../control/names.js'
import { nameAcross, tablesOn } from '../mirror/mapping.js'
import { scopeSql } from '../mirror/scope.js'
import { otherSide } from '../phase/phases.js'
import type { Side } from '../phase/phases.js'

export interface MirroredColumn {
  readonly name: string
  /**
   * Its type on the side that is read and on the side that is written, without length or precision: a cast to
   * `varchar(5)` would cut a value short in silence, where the assignment to the column refuses it. For the same reason
   * the type below a domain stands for it.
   */
  readonly readType: string
  readonly writeType: string
  /** Values of `writeType` can be elements of one array that is taken apart again: false for arrays, composites, and `box`. */
  readonly listed: boolean
}

export interface KeyColumn extends MirroredColumn {
  /** The schema of the operators that its index goes by. An extension's are not in pg_catalog, so no plain `=` finds them. */
  readonly readOperators: string
  readonly writeOperators: string
}

/** A table of one side, as statements name it. */
export interface TableAt {
  readonly oid: number
  readonly schema: string
  readonly name: string
  /** Whether statements say ONLY, since tables that inherit from it are mirrored by themselves. */
  readonly only: boolean
  readonly partitioned: boolean
}

export interface MirroredTable {
  readonly from: TableAt
  readonly to: TableAt
  /** The columns by which the record names a row, in the order of the key. Each is one of `columns`. */
  readonly key: readonly KeyColumn[]
  /** All that is carried over, in the order of the side that is read: generated columns are not. */
  readonly columns: readonly MirroredColumn[]
  /** Columns that the side that is written lacks. */
  readonly leftOut: readonly string[]
  /**
   * `upsert`: INSERT … ON CONFLICT on the key. `replace`: delete, then insert, where a column cannot be set by an UPDATE
   * (GENERATED ALWAYS AS IDENTITY) or the key's constraint on the side that is written is deferrable.
   */
  readonly write: 'upsert' | 'replace'
}

/** What keeps a table from being mirrored, by the name that it has on the side that is read. */
export interface Unmirrored {
  readonly table: TableAt
  readonly why: 'no key' | 'not on the other side' | 'key is not unique there' | 'key is not there'
  /** The columns of the key, where there is one. */
  readonly key: readonly string[]
}

export interface Mirrored {
  readonly tables: readonly MirroredTable[]
  readonly unmirrored: readonly Unmirrored[]
}

interface CatalogColumn {
  readonly name: string
  readonly type: string
  readonly listed: boolean
  /** `s` stored, `v` virtual, empty for an ordinary column. */
  readonly generated: string
  /** `a` always, `d` by default, empty for none. */
  readonly identity: string
}

interface CatalogKey {
  readonly columns: readonly string[]
  /** The schema of each column's operators, by its name. */
  readonly operators: Readonly<Record<string, string>>
  readonly primary: boolean
  readonly immediate: boolean
}

interface CatalogTable extends TableAt {
  readonly columns: readonly CatalogColumn[]
  /** Unique, whole, of plain columns that are never null; the primary key first, then those of few columns. */
  readonly keys: readonly CatalogKey[]
}

/** Reads both sides' catalogs. Of a partitioned table its root stands for all of it. */
export async function readMirrored(
  m: Pick<Migration, 'dualWrite' | 'tables'>,
  from: Side,
  runs: Readonly<Record<Side, Run>>,
): Promise<Mirrored> {
  const to = otherSide(from)
  const [here, there] = await Promise.all([
    runs[from]<CatalogTable & Record<string, unknown>>(catalogSql(tablesOn(m, from))),
    runs[to]<CatalogTable & Record<string, unknown>>(catalogSql(tablesOn(m, to))),
  ])
  const byName = new Map(there.map((table) => [nameKey(table), table]))
  const tables: MirroredTable[] = []
  const unmirrored: Unmirrored[] = []
  for (const table of here) {
    const one = pair(table, byName.get(nameKey(nameAcross(m, from, table))))
    if ('why' in one) unmirrored.push(one)
    else tables.push(one)
  }
  return { tables, unmirrored }
}

/** As statements name it. */
export const quoteTable = ({ schema, name }: Pick<TableAt, 'schema' | 'name'>): string =>
  `${quoteIdent(schema)}.${quoteIdent(name)}`

const nameKey = ({ schema, name }: Pick<TableAt, 'schema' | 'name'>): string => JSON.stringify([schema, name])

function pair(left: CatalogTable, right: CatalogTable | undefined): MirroredTable | Unmirrored {
  const candidates = left.keys.filter(({ columns }) => columns.every((name) => !isVirtual(left, name)))
  const [first] = candidates
  if (!first) return { table: at(left), why: 'no key', key: [] }
  if (!right) return { table: at(left), why: 'not on the other side', key: first.columns }
  const columns = left.columns.flatMap(({ name, type, generated }): MirroredColumn[] => {
    const other = right.columns.find((column) => column.name === name)
    if (!other || generated !== '' || other.generated !== '') return []
    return [{ name, readType: type, writeType: other.type, listed: other.listed }]
  })
  // The primary key, unless the other side has another one that is as good.
  for (const { columns: names, operators } of candidates) {
    const there = right.keys.find((key) => sameColumns(key.columns, names))
    if (!there) continue
    const key = names.flatMap((name): KeyColumn[] => {
      const [readOperators, writeOperators] = [operators[name], there.operators[name]]
      const column = columns.find((one) => one.name === name)
      if (!column || readOperators === undefined || writeOperators === undefined) return []
      return [{ ...column, readOperators, writeOperators }]
    })
    if (key.length < names.length) continue
    const always = right.columns.some(({ identity }) => identity === 'a')
    const leftOut = left.columns.filter(
      ({ name, generated }) => generated === '' && !right.columns.some((column) => column.name === name),
    )
    return {
      from: at(left),
      to: at(right),
      key,
      columns,
      leftOut: leftOut.map(({ name }) => name),
      write: always || !there.immediate ? 'replace' : 'upsert',
    }
  }
  const isThere = first.columns.every((name) => columns.some((column) => column.name === name))
  return {
    table: at(left),
    why: isThere ? 'key is not unique there' : 'key is not there',
    key: first.columns,
  }
}

const at = ({ oid, schema, name, only, partitioned }: CatalogTable): TableAt => ({
  oid,
  schema,
  name,
  only,
  partitioned,
})

const isVirtual = (table: CatalogTable, name: string): boolean =>
  table.columns.some((column) => column.name === name && column.generated === 'v')

const sameColumns = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((name) => b.includes(name))

const catalogSql = (tables: readonly string[] | undefined): string => `
  with scope as materialized (${scopeSql(tables)}),
  below as materialized (
    with recursive down(domain, oid) as (
      select d.oid, d.typbasetype from pg_type d where d.typtype = 'd'
      union all select down.domain, d.typbasetype from down join pg_type d on d.oid = down.oid and d.typtype = 'd')
    select down.domain, down.oid from down join pg_type t on t.oid = down.oid and t.typtype <> 'd')
  select c.oid::int8::float8 as oid, scope.schema, scope.name, c.relkind <> 'p' as only, c.relkind = 'p' as partitioned,
    (select coalesce(jsonb_agg(jsonb_build_object('name', a.attname, 'type', format_type(t.oid, -1), 'listed',
        t.typdelim = ',' and t.typarray <> 0 and t.typcategory <> 'A' and t.typtype <> 'c',
        'generated', a.attgenerated, 'identity', a.attidentity) order by a.attnum), '[]')
       from pg_attribute a left join below b on b.domain = a.atttypid
       join pg_type t on t.oid = coalesce(b.oid, a.atttypid)
      where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
    (select coalesce(jsonb_agg(jsonb_build_object('columns', k.columns, 'operators', k.operators, 'primary',
        k.indisprimary, 'immediate', k.indimmediate)
        order by k.indisprimary desc, k.indnkeyatts, k.columns::text collate "C"), '[]')
       from (select i.indisprimary, i.indimmediate, i.indnkeyatts, (
               select jsonb_agg(a.attname order by p.place) from unnest(i.indkey) with ordinality p(attnum, place)
                 join pg_attribute a on a.attrelid = c.oid and a.attnum = p.attnum
                where p.place <= i.indnkeyatts) as columns, (
               select jsonb_object_agg(a.attname, n.nspname) from unnest(i.indkey) with ordinality p(attnum, place)
                 join pg_attribute a on a.attrelid = c.oid and a.attnum = p.attnum
                 join pg_opclass oc on oc.oid = i.indclass[p.place - 1]
                 join pg_amop am on am.amopfamily = oc.opcfamily and am.amopstrategy = 3
                  and am.amoplefttype = oc.opcintype and am.amoprighttype = oc.opcintype
                 join pg_operator o on o.oid = am.amopopr join pg_namespace n on n.oid = o.oprnamespace
                where p.place <= i.indnkeyatts) as operators
               from pg_index i
              where i.indrelid = c.oid and i.indisunique and not i.indisexclusion and i.indisvalid and i.indpred is null and i.indexprs is null
                and not exists (select from unnest(i.indkey) with ordinality p(attnum, place)
                  join pg_attribute a on a.attrelid = c.oid and a.attnum = p.attnum
                 where p.place <= i.indnkeyatts and not a.attnotnull)) k) as keys
    from scope join pg_class c on c.oid = scope.oid
   where not c.relispartition
   order by scope.schema collate "C", scope.name collate "C"`
