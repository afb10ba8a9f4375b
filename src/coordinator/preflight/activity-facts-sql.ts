// What preflight asks of a server at work: its service, transactions, connections, slots, standbys, listeners and schedulers.
import { quoteLiteral } from '../../control/names.js'
import type { SideFacts } from './facts.js'
import { SERVICES } from './managed.js'
import { list, names } from './table-facts-sql.js'

/** As many as a message can name, with some to spare. */
const MOST_TRANSACTIONS = 20

const WHO = `format('%s (%s)', coalesce(nullif(a.application_name, ''), 'unnamed'), a.usename)`

/** Connections of our own come and go, and none of them is the application. */
const NOT_OURS = `a.application_name not like 'pg-cutover%'`

export const ACTIVITY_FACTS = {
  service: `(case ${Object.entries(SERVICES)
    .map(
      ([name, { roles, setting }]) =>
        `when exists (select from pg_roles where rolname in (${list(roles)})) or current_setting('${setting}', true) is not null then '${name}'`,
    )
    .join('\n')} end)`,
  // A slot waits for transactions with a number in every database of the server.
  transactions: `(select coalesce(jsonb_agg(jsonb_build_object('pid', t.pid, 'who', t.who, 'elsewhere', t.elsewhere,
      'seconds', t.seconds, 'idle', t.idle) order by t.seconds desc, t.pid), '[]') from (
    select a.pid, ${WHO} as who, nullif(a.datname, current_database()) as elsewhere,
           round(extract(epoch from clock_timestamp() - a.xact_start))::int as seconds, a.state like 'idle%' as idle
      from pg_stat_activity a
     where a.backend_type = 'client backend' and a.xact_start is not null and a.pid <> pg_backend_pid() and ${NOT_OURS}
       and (a.datname = current_database() or a.backend_xid is not null)
     order by a.xact_start limit ${MOST_TRANSACTIONS}) t)`,
  connections: `(select jsonb_build_object(
      'limit', least(current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - coalesce(current_setting('reserved_connections', true)::int, 0),
        (select case when datconnlimit < 0 then null else datconnlimit end from pg_database where datname = current_database())),
      'used', count(*), 'application', count(*) filter (where a.datname = current_database() and ${NOT_OURS}))
    from pg_stat_activity a where a.backend_type = 'client backend')`,
  slots: `(select coalesce(jsonb_agg(jsonb_build_object('name', s.slot_name, 'plugin', s.plugin, 'database', s.database,
      'reader', case when a.pid is not null then ${WHO} || coalesce(' at ' || host(a.client_addr), '') end,
      'lagBytes', pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end,
        coalesce(s.confirmed_flush_lsn, s.restart_lsn))) order by s.slot_name), '[]')
    from pg_replication_slots s left join pg_stat_activity a on a.pid = s.active_pid)`,
  // One that replicates a whole server is in no database; a base backup is not streaming.
  standbys: names(
    `distinct ${WHO} || coalesce(' at ' || host(a.client_addr), '')`,
    `from pg_stat_replication r join pg_stat_activity a on a.pid = r.pid where a.datid is null and r.state in ('streaming', 'catchup')`,
  ),
  listeners: names(
    WHO,
    `from pg_stat_activity a where a.datname = current_database() and a.query ~* '^\\s*listen\\s' and ${NOT_OURS}`,
  ),
  jobTables: `(select coalesce(jsonb_agg(jsonb_build_object('name', j.name, 'readable',
      has_schema_privilege(n.oid, 'usage') and has_table_privilege(c.oid, 'select')) order by j.name), '[]')
    from (values ('cron', 'job', ${quoteLiteral('cron.job')}), ('pgagent', 'pga_job', ${quoteLiteral('pgagent.pga_job')})) j(schema, relation, name)
    join pg_namespace n on n.nspname = j.schema join pg_class c on c.relnamespace = n.oid and c.relname = j.relation)`,
} as const satisfies Partial<Record<keyof SideFacts, string>>
