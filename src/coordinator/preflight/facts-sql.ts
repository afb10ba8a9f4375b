// The one query behind the facts: a named scalar a fact, so that a side costs one round trip.
import { CONTROL_SCHEMA, quoteLiteral } from '../../control/names.js'
import { ownRelation, scopeSql } from '../../mirror/scope.js'
import { ACTIVITY_FACTS } from './activity-facts-sql.js'
import type { SideFacts } from './facts.js'
import { OBJECT_FACTS } from './object-facts-sql.js'
import { SERVICES } from './managed.js'
import {
  TABLE_FACTS,
  TYPE_FACTS,
  jsonObject,
  list,
  names,
  notForeign,
  ofExtension,
} from './table-facts-sql.js'

/** What belongs to a managed service itself can be neither changed nor switched off by its users. */
const SERVICE_ADMINS = Object.values(SERVICES).flatMap(({ admins }) => admins)

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
  'session_replication_role',
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
  'default_text_search_config',
  'lc_monetary',
  'lc_numeric',
  'lc_time',
  'transform_null_equals',
  'xmlbinary',
  'xmloption',
  'statement_timeout',
  'lock_timeout',
  'idle_in_transaction_session_timeout',
  'row_security',
] as const

const relations = (condition: string): string =>
  names(
    `n.nspname || '.' || c.relname`,
    `from pg_class c join pg_namespace n on n.oid = c.relnamespace where ${condition} and ${ownRelation('c', 'n')}`,
  )

// A managed service gives its administrators what Postgres keeps for superusers, through roles of its own.
const member = (...roles: readonly string[]): string =>
  `coalesce((select bool_or(pg_has_role(r.oid, 'usage')) from pg_roles r where r.rolname in (${list(roles)})), false)`
const SUPERUSER = `(select rolsuper from pg_roles where rolname = current_user)`
const SUBSCRIBING = member('rds_superuser', 'cloudsqlsuperuser', 'azure_pg_admin', 'neon_superuser')

const FACTS = {
  ...ACTIVITY_FACTS,
  ...OBJECT_FACTS,
  system: `(select system_identifier::text from pg_control_system())`,
  version: `current_setting('server_version_num')::int`,
  // By way of JSON, since the columns differ from major to major.
  database: `(select jsonb_build_object('oid', j->>'oid', 'name', j->>'datname', 'encoding', pg_encoding_to_char((j->>'encoding')::int),
      'collate', j->>'datcollate', 'ctype', j->>'datctype', 'provider', coalesce(j->>'datlocprovider', 'c'),
      'locale', coalesce(j->>'datlocale', j->>'daticulocale', ''), 'collationVersion', coalesce(j->>'datcollversion', ''))
    from (select to_jsonb(d) as j from pg_database d where datname = current_database()) row)`,
  standby: `pg_is_in_recovery()`,
  settings: `(select jsonb_object_agg(name, reset_val) from pg_settings
    where name in (${list([...CAPACITY_SETTINGS, ...MEANING_SETTINGS])}))`,
  role: `jsonb_build_object('name', current_user, 'session', session_user, 'superuser', ${SUPERUSER},
    'bypassesRowSecurity', (select rolsuper or rolbypassrls from pg_roles where rolname = current_user),
    'replication', ${SUPERUSER} or (select rolreplication from pg_roles where rolname = current_user)
      or ${member('rds_superuser', 'rds_replication')},
    'createInDatabase', has_database_privilege(current_database(), 'create'),
    'readAllStats', ${member('pg_read_all_stats')},
    'createSubscription', ${SUPERUSER} or ${SUBSCRIBING} or ${member('pg_create_subscription')},
    'originFunctions', has_function_privilege('pg_replication_origin_advance(text, pg_lsn)', 'execute')
      and has_function_privilege('pg_replication_origin_progress(text, boolean)', 'execute'))`,
  controlSchema: `coalesce((select case
      when not has_schema_privilege(oid, 'usage, create') then 'out of reach'
      when exists (select from pg_class where relnamespace = n.oid and relname = 'version') then 'ours'
      else 'foreign' end
    from pg_namespace n where nspname = ${quoteLiteral(CONTROL_SCHEMA)}), 'absent')`,
  walSenders: `(select count(*) from pg_stat_replication)`,
  enabledSubscriptions: `(select count(*) from pg_subscription where subenabled)`,
  origins: `(select count(*) from pg_replication_origin)`,
  tables: TABLE_FACTS,
  unloggedTables: relations(`c.relkind in ('r', 'p') and c.relpersistence = 'u'`),
  foreignTables: relations(`c.relkind = 'f'`),
  largeObjects: `exists (select from pg_largeobject_metadata)`,
  eventTriggers: names(
    `evtname::text`,
    `from pg_event_trigger e where evtenabled <> 'D' and not ${ofExtension('pg_event_trigger', 'e.oid')}
      and pg_get_userbyid(evtowner) not in (${list(SERVICE_ADMINS)})`,
  ),
  swallowers: names(
    `n.nspname || '.' || p.proname`,
    `from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where p.prosrc ~* 'exception\\s+when\\s+others' and ${notForeign('n')} and not ${ofExtension('pg_proc', 'p.oid')}`,
  ),
  lockedSchemas: names(
    `distinct n.nspname::text`,
    `from (select c.relnamespace as oid from scope join pg_class c on c.oid = scope.oid
         union select t.typnamespace from scope join pg_attribute a on a.attrelid = scope.oid and not a.attisdropped
           join pg_type t on t.oid = a.atttypid) s
       join pg_namespace n on n.oid = s.oid where not has_schema_privilege(n.oid, 'usage')`,
  ),
  // Where a role, or all roles, are replicas in this database from the start.
  replicaRoles: names(
    `case when s.setrole = 0 then '' else quote_ident(pg_get_userbyid(s.setrole)) end`,
    `from pg_db_role_setting s where s.setdatabase in (0, (select oid from pg_database where datname = current_database()))
       and 'session_replication_role=replica' = any (s.setconfig)`,
  ),
  silencers: names(
    `n.nspname || '.' || p.proname`,
    `from pg_proc p join pg_namespace n on n.oid = p.pronamespace
      where (p.prosrc ~* 'session_replication_role|disable\\s+trigger' or array_to_string(p.proconfig, ' ') ~* 'session_replication_role')
        and ${notForeign('n')} and not ${ofExtension('pg_proc', 'p.oid')}`,
  ),
  extensions: `(select coalesce(jsonb_agg(jsonb_build_object('name', extname, 'version', extversion) order by extname), '[]')
    from pg_extension)`,
  types: TYPE_FACTS,
  preparedTransactions: names(`gid`, `from pg_prepared_xacts where database = current_database()`),
  publications: `(select coalesce(jsonb_agg(jsonb_build_object('name', p.pubname, 'tables', p.tables,
        'allTables', (select puballtables from pg_publication a where a.pubname = p.pubname)) order by p.pubname), '[]') from (
    select t.pubname, jsonb_agg(t.schemaname || '.' || t.tablename order by t.schemaname, t.tablename) as tables
      from pg_publication_tables t join scope on scope.schema = t.schemaname and scope.name = t.tablename group by 1) p)`,
  subscriptions: `(select coalesce(jsonb_agg(jsonb_build_object('name', s.subname, 'tables', s.tables) order by s.subname), '[]') from (
    select s.subname, jsonb_agg(scope.schema || '.' || scope.name order by scope.schema, scope.name) as tables
      from pg_subscription s join pg_subscription_rel r on r.srsubid = s.oid join scope on scope.oid = r.srrelid
     where s.subdbid = (select oid from pg_database where datname = current_database()) group by 1) s)`,
  // Quoted, since a GRANT is made of them.
  lockedSequences: names(
    `format('%I.%I', n.nspname, c.relname)`,
    `from pg_class c join pg_namespace n on n.oid = c.relnamespace where ${ownRelation('c', 'n')}
        -- By CASE, since conditions are tried in any order, and these functions refuse what is no sequence.
        and case when c.relkind = 'S' then not (has_sequence_privilege(c.oid, 'select') and has_sequence_privilege(c.oid, 'update')) else false end`,
  ),
} as const satisfies Record<keyof SideFacts, string>

/** `poolRole` is as whom the application connects, where that is known. */
export const factsSql = (tables: readonly string[] | undefined, poolRole?: string): string => `
  with scope as materialized (${scopeSql(tables)}),
  pool as materialized (select * from pg_roles where rolname = ${poolRole === undefined ? 'null' : quoteLiteral(poolRole)})
  select ${jsonObject(Object.entries(FACTS))} as facts`
