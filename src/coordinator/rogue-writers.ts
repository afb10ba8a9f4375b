// Who still talks to the side that was left: our own forgotten backends are sent away, the others are reported by name.
import type { ControlConnection } from '../control/control-connection.js'
import type { RogueBackend } from '../events.js'
import { listMembers } from '../fleet/roster.js'
import { describeMember } from '../fleet/words.js'
import type { Attempt } from './attempt.js'

/** Only those that were there before this moment of the server's clock: the number may belong to somebody else by now. */
export async function sendAway(
  on: ControlConnection,
  backends: readonly number[],
  beforeMillis: number,
): Promise<void> {
  if (backends.length === 0) return
  await on.run(
    `select pg_terminate_backend(pid) from pg_stat_activity
      where pid = any ($1::int[]) and datname = current_database() and backend_type = 'client backend'
        and backend_start <= to_timestamp($2::float8 / 1000)`,
    [backends, beforeMillis],
  )
}

/** After the release. Idle clients of this process are closed by itself first; what is left of them is terminated. */
export async function leaveNobodyBehind(a: Attempt): Promise<void> {
  const { m, from } = a
  const left = a.rescue[from]
  await m.gate.sweep(from)
  const ours = m.gate.backends(from)
  await sendAway(left, ours, a.hold?.serverEnds ?? 0)
  const found = await left.run<Omit<RogueBackend, 'member'> & Record<string, unknown>>(
    `select pid, coalesce(application_name, '') as "applicationName", coalesce(usename, '') as user,
            coalesce(host(client_addr) || ':' || client_port, 'local') as "clientAddress",
            coalesce(state, 'unknown') as state, coalesce(query_start::text, '') as "lastQueryStart"
       from pg_stat_activity
      where datname = current_database() and backend_type = 'client backend' and pid <> all ($1::int[])
        and coalesce(application_name, '') not like 'pg-cutover%' and pid <> pg_backend_pid()
      order by backend_start`,
    [ours],
  )
  if (found.length === 0) return
  const members = await membersNow(a)
  const backends = found.map((backend): RogueBackend => {
    const member = members.find((one) => one.side === from && one.backends.includes(backend.pid))
    return { ...backend, member: member && describeMember(member) }
  })
  m.events.publish('rogueWriters', { name: m.name, side: from, backends })
}

/** Those who have not gone over yet are still in the roster of the side that was left; the others close theirs themselves. */
const membersNow = async ({ m, from, rescue, barrier }: Attempt) =>
  barrier ? await listMembers(rescue[from].run, m.name).catch(() => barrier.members) : []
