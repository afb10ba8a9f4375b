// Reads the indexes of the tables in scope, each with its definition apart from the names of the index and of its table.
import { scopeSql } from '../mirror/scope.js'

export interface CatalogIndex {
  readonly name: string
  readonly unique: boolean
  readonly valid: boolean
  readonly building: boolean
  /** It is a part of one of the partitioned table, and made with that. */
  readonly attached: boolean
  /** From USING on. */
  readonly definition: string
  /** Those that it has as such, without those in expressions. */
  readonly columns: readonly string[]
  readonly constraint:
    | {
        readonly name: string
        readonly kind: 'primary' | 'unique' | 'exclusion'
        /** As in ALTER TABLE … ADD CONSTRAINT name. */
        readonly text: string
        readonly deferrable: string
      }
    | undefined
}

export interface IndexedTable {
  readonly schema: string
  readonly name: string
  readonly columns: readonly string[]
  readonly indexes: readonly CatalogIndex[]
  /** Of a partitioned table all below it, those next to it first. */
  readonly partitions: readonly Partition[] | null
}

export interface Partition {
  readonly schema: string
  readonly name: string
  readonly leaf: boolean
  readonly parentSchema: string
  readonly parentName: string
}

export const indexCatalogSql = (tables: readonly string[] | undefined): string => `
  with scope as materialized (${scopeSql(tables)})
  select scope.schema, scope.name,
    (select coalesce(jsonb_agg(a.attname), '[]') from pg_attribute a
      where a.attrelid = scope.oid and a.attnum > 0 and not a.attisdropped) as columns,
    (select coalesce(jsonb_agg(jsonb_strip_nulls(jsonb_build_object('name', x.relname, 'unique', i.indisunique, 'valid', i.indisvalid,
        'building', exists (select from pg_stat_progress_create_index p where p.index_relid = i.indexrelid),
        'attached', x.relispartition,
        'definition', substr(pg_get_indexdef(i.indexrelid), 1 + length(format('CREATE %sINDEX %I ON %s%I.%I ',
          case when i.indisunique then 'UNIQUE ' else '' end, x.relname,
          case when x.relkind = 'I' then 'ONLY ' else '' end, scope.schema, scope.name))),
        'columns', coalesce((select jsonb_agg(a.attname) from pg_attribute a
          where a.attrelid = scope.oid and a.attnum > 0 and a.attnum = any(i.indkey)), '[]'),
        'constraint', case when c.oid is not null then jsonb_build_object('name', c.conname,
          'kind', case c.contype when 'p' then 'primary' when 'u' then 'unique' else 'exclusion' end,
          'text', pg_get_constraintdef(c.oid),
          'deferrable', case when c.condeferred then ' DEFERRABLE INITIALLY DEFERRED'
            when c.condeferrable then ' DEFERRABLE' else '' end) end)) order by x.relname collate "C"), '[]')
       from pg_index i join pg_class x on x.oid = i.indexrelid
       left join pg_constraint c on c.conindid = i.indexrelid and c.conrelid = i.indrelid and c.contype in ('p', 'u', 'x')
      where i.indrelid = scope.oid) as indexes,
    case when scope.kind = 'p' then (
      select jsonb_agg(jsonb_build_object('schema', n.nspname, 'name', r.relname, 'leaf', t.isleaf,
          'parentSchema', pn.nspname, 'parentName', pr.relname) order by t.level, n.nspname, r.relname)
        from pg_partition_tree(scope.oid) t join pg_class r on r.oid = t.relid join pg_namespace n on n.oid = r.relnamespace
        join pg_class pr on pr.oid = t.parentrelid join pg_namespace pn on pn.oid = pr.relnamespace
       where t.level > 0 and r.relkind in ('r', 'p')) end as partitions
  from scope order by scope.schema collate "C", scope.name collate "C"`

/** The names of all relations of these schemas, which no index can have once more. */
export const takenNamesSql = `
  select n.nspname::text as schema, r.relname::text as name
    from pg_class r join pg_namespace n on n.oid = r.relnamespace where n.nspname = any($1::text[])`
