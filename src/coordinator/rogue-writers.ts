// Who still talks to the side that was left: our own forgotten backends are sent away, the others are reported by name.
import type { RogueBackend } from '../events.js'
import type { Attempt } from './attempt.js'

/** After the release. Idle clients of this process are closed by itself first; what is left of them is terminated. */
export async function leaveNobodyBehind(a: Attempt): Promise<void> {
  const { m, from } = a
  const left = a.rescue[from]
  await m.gate.sweep(from)
  const ours = m.gate.backends(from)
  // Only those that were there before the fence: the number may belong to somebody else by now.
  await left.run(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where pid = any ($1::int[]) and datname = current_database() and backend_type = 'client backend'
        and backend_start <= to_timestamp($2::float8 / 1000)`,
    [ours, a.hold?.serverEnds ?? 0],
  )
  const backends = await left.run<RogueBackend & Record<string, unknown>>(
    `select pid, coalesce(application_name, '') as "applicationName", coalesce(usename, '') as user,
            coalesce(host(client_addr) || ':' || client_port, 'local') as "clientAddress",
            coalesce(state, 'unknown') as state, coalesce(query_start::text, '') as "lastQueryStart"
       from pg_stat_activity
      where datname = current_database() and backend_type = 'client backend' and pid <> all ($1::int[])
        and coalesce(application_name, '') not like 'pg-cutover%' and pid <> pg_backend_pid()
      order by backend_start`,
    [ours],
  )
  if (backends.length > 0) m.events.publish('rogueWriters', { name: m.name, side: from, backends })
}
