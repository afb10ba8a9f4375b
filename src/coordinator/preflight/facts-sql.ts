// The one query behind the facts: a named scalar a fact, so that a side costs one round trip.
import { CONTROL_SCHEMA, quoteLiteral } from '../../control/names.js'
import { FOREIGN_SCHEMAS, ownRelation, scopeSql } from '../../mirror/scope.js'
import type { SideFacts } from './facts.js'

/** Settings that decide what fits. */
const CAPACITY_SETTINGS = [
  'wal_level',
  'max_replication_slots',
  'max_wal_senders',
  'max_logical_replication_workers',
  'max_worker_processes',
  'max_sync_workers_per_subscription',
  'max_active_replication_origins',
  'max_slot_wal_keep_size',
  'idle_replication_slot_timeout',
] as const

/** Settings that change what a statement means. */
export const MEANING_SETTINGS = [
  'TimeZone',
  'DateStyle',
  'IntervalStyle',
  'search_path',
  'client_encoding',
  'standard_conforming_strings',
  'extra_float_digits',
  'bytea_output',
  'default_transaction_isolation',
  'default_transaction_read_only',
] as const

const list = (names: readonly string[]): string => names.map(quoteLiteral).join(', ')

const notForeign = (namespace: string): string =>
  `${namespace}.nspname not in (${list(FOREIGN_SCHEMAS)}) and ${namespace}.nspname not like 'pg\\_%'`

const notOfExtension = (catalog: string, oid: string): string =>
  `not exists (select from pg_depend d where d.classid = '${catalog}'::regclass and d.objid = ${oid} and d.deptype = 'e')`

/** The names of rows, sorted, as a JSON array. */
const names = (expression: string, rest: string): string =>
  `(select coalesce(jsonb_agg(x.n order by x.n), '[]') from (select ${expression} as n ${rest}) x)`

const relations = (condition: string): string =>
  names(
    `n.nspname || '.' || c.relname`,
    `from pg_class c join pg_namespace n on n.oid = c.relnamespace where ${condition} and ${ownRelation('c', 'n')}`,
  )

// A managed service gives its administrators what Postgres keeps for superusers, through roles of its own.
const member = (...roles: readonly string[]): string =>
  `coalesce((select bool_or(pg_has_role(r.oid, 'usage')) from pg_roles r where r.rolname in (${list(roles)})), false)`
const SUPERUSER = `(select rolsuper from pg_roles where rolname = current_user)`
const LIKE_SUPERUSER = member('rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin')

const FACTS = {
  system: `(select system_identifier::text from pg_control_system())`,
  version: `current_setting('server_version_num')::int`,
  // By way of JSON, since the columns differ from major to major.
  database: `(select jsonb_build_object('oid', j->>'oid', 'name', j->>'datname', 'encoding', pg_encoding_to_char((j->>'encoding')::int),
      'collate', j->>'datcollate', 'ctype', j->>'datctype', 'provider', coalesce(j->>'datlocprovider', 'c'),
      'locale', coalesce(j->>'datlocale', j->>'daticulocale', ''), 'collationVersion', coalesce(j->>'datcollversion', ''))
    from (select to_jsonb(d) as j from pg_database d where datname = current_database()) row)`,
  settings: `(select jsonb_object_agg(name, reset_val) from pg_settings
    where name in (${list([...CAPACITY_SETTINGS, ...MEANING_SETTINGS])}))`,
  role: `jsonb_build_object('name', current_user, 'superuser', ${SUPERUSER},
    'bypassesRowSecurity', (select rolsuper or rolbypassrls from pg_roles where rolname = current_user),
    'replication', ${SUPERUSER} or (select rolreplication from pg_roles where rolname = current_user)
      or ${LIKE_SUPERUSER} or ${member('rds_replication')},
    'createInDatabase', has_database_privilege(current_database(), 'create'),
    'readAllStats', ${member('pg_read_all_stats')},
    'createSubscription', ${SUPERUSER} or ${LIKE_SUPERUSER} or ${member('pg_create_subscription')},
    'originFunctions', has_function_privilege('pg_replication_origin_advance(text, pg_lsn)', 'execute')
      and has_function_privilege('pg_replication_origin_progress(text, boolean)', 'execute'))`,
  controlSchema: `coalesce((select case
      when not has_schema_privilege(oid, 'usage, create') then 'out of reach'
      when exists (select from pg_class where relnamespace = n.oid and relname = 'version') then 'ours'
      else 'foreign' end
    from pg_namespace n where nspname = ${quoteLiteral(CONTROL_SCHEMA)}), 'absent')`,
  slots: `(select coalesce(jsonb_agg(jsonb_build_object('name', slot_name, 'plugin', plugin, 'database', database)
      order by slot_name), '[]') from pg_replication_slots)`,
  walSenders: `(select count(*) from pg_stat_replication)`,
  enabledSubscriptions: `(select count(*) from pg_subscription where subenabled)`,
  origins: `(select count(*) from pg_replication_origin)`,
  tables: `(select coalesce(jsonb_agg(t.facts order by t.schema collate "C", t.name collate "C"), '[]') from (
    select scope.schema, scope.name, jsonb_build_object('schema', scope.schema, 'name', scope.name, 'kind', scope.kind,
      'owner', pg_get_userbyid(c.relowner), 'owned', pg_has_role(c.relowner, 'usage'),
      'rowSecurity', c.relrowsecurity and (c.relforcerowsecurity or not pg_has_role(c.relowner, 'usage')), 'replicaIdentity', c.relreplident,
      'hasPrimaryKey', exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary and i.indimmediate),
      'parents', ${names(
        `n.nspname || '.' || p.relname`,
        `from pg_inherits i join pg_class p on p.oid = i.inhparent join pg_namespace n on n.oid = p.relnamespace
          where i.inhrelid = c.oid`,
      )},
      'partitionKey', pg_get_partkeydef(c.oid), 'partitionBound', pg_get_expr(c.relpartbound, c.oid),
      'columns', (select coalesce(jsonb_agg(jsonb_build_object('name', a.attname,
          'type', format_type(a.atttypid, a.atttypmod), 'notNull', a.attnotnull, 'generated', a.attgenerated,
          'identity', a.attidentity, 'hasDefault', a.atthasdef) order by a.attnum), '[]')
        from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
      'unique', ${names(
        `regexp_replace(pg_get_indexdef(i.indexrelid), '^CREATE UNIQUE INDEX .*? ON (ONLY )?', '')`,
        `from pg_index i where i.indrelid = c.oid and i.indisunique`,
      )},
      'alwaysTriggers', ${names(
        `t.tgname::text`,
        `from pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal and t.tgenabled in ('A', 'R')`,
      )}) as facts
    from scope join pg_class c on c.oid = scope.oid) t)`,
  unloggedTables: relations(`c.relkind in ('r', 'p') and c.relpersistence = 'u'`),
  foreignTables: relations(`c.relkind = 'f'`),
  largeObjects: `exists (select from pg_largeobject_metadata)`,
  eventTriggers: names(`evtname::text`, `from pg_event_trigger where evtenabled <> 'D'`),
  swallowers: names(
    `n.nspname || '.' || p.proname`,
    `from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where p.prosrc ~* 'exception\\s+when\\s+others' and ${notForeign('n')} and ${notOfExtension('pg_proc', 'p.oid')}`,
  ),
  extensions: `(select coalesce(jsonb_agg(jsonb_build_object('name', extname, 'version', extversion) order by extname), '[]')
    from pg_extension)`,
  enums: `(select coalesce(jsonb_object_agg(e.type, e.labels), '{}') from (
    select n.nspname || '.' || t.typname as type, jsonb_agg(v.enumlabel order by v.enumsortorder) as labels
      from pg_enum v join pg_type t on t.oid = v.enumtypid join pg_namespace n on n.oid = t.typnamespace
     where ${notForeign('n')} group by 1) e)`,
  preparedTransactions: names(`gid`, `from pg_prepared_xacts where database = current_database()`),
  listeners: names(
    `format('%s (%s)', coalesce(nullif(application_name, ''), 'unnamed'), usename)`,
    `from pg_stat_activity where datname = current_database() and query ~* '^\\s*listen\\s'
      and application_name not like 'pg-cutover%'`,
  ),
  publications: `(select coalesce(jsonb_agg(jsonb_build_object('name', p.pubname, 'tables', p.tables) order by p.pubname), '[]') from (
    select t.pubname, jsonb_agg(t.schemaname || '.' || t.tablename order by t.schemaname, t.tablename) as tables
      from pg_publication_tables t join scope on scope.schema = t.schemaname and scope.name = t.tablename group by 1) p)`,
  subscriptions: `(select coalesce(jsonb_agg(jsonb_build_object('name', s.subname, 'tables', s.tables) order by s.subname), '[]') from (
    select s.subname, jsonb_agg(scope.schema || '.' || scope.name order by scope.schema, scope.name) as tables
      from pg_subscription s join pg_subscription_rel r on r.srsubid = s.oid join scope on scope.oid = r.srrelid
     where s.subdbid = (select oid from pg_database where datname = current_database()) group by 1) s)`,
  // Quoted, since a GRANT is made of them.
  lockedSequences: names(
    `format('%I.%I', n.nspname, c.relname)`,
    `from pg_class c join pg_namespace n on n.oid = c.relnamespace where ${ownRelation('c', 'n')} and c.relkind = 'S' and not (has_sequence_privilege(c.oid, 'select') and has_sequence_privilege(c.oid, 'update'))`,
  ),
} as const satisfies Record<keyof SideFacts, string>

export const factsSql = (tables: readonly string[] | undefined): string => `
  with scope as materialized (${scopeSql(tables)})
  select ${jsonObject(Object.entries(FACTS))} as facts`

const jsonObject = (entries: readonly (readonly [string, string])[]): string =>
  `jsonb_build_object(${entries.map(([name, sql]) => `${quoteLiteral(name)}, ${sql}`).join(',\n')})`
