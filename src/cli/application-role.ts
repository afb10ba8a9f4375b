// As whom the service connects, where neither a config file nor a flag says so: its members' own connections tell.
import type { Migration } from '../control/migration.js'
import { otherSide, type Side } from '../phase/phases.js'

/**
 * The same migration with the roles by which preflight checks what the service may do on the side to be opened. What is known
 * already stays, and what cannot be found out stays unknown: then nothing is said of that role.
 */
export async function knowingPoolRoles(m: Migration, writer: Side): Promise<Migration> {
  const { old, new: opened } = m.poolRoles ?? { old: undefined, new: undefined }
  if (old !== undefined && opened !== undefined) return m
  const other = otherSide(writer)
  const role = await roleOfMembers(m, writer).catch(() => undefined)
  if (role === undefined) return m
  // The members tell of the side that they use. On the other one the same name is likely, but not where it is our own:
  // a coordinator of that name says nothing of the service.
  const across = await sessionRole(m, other).catch(() => role)
  const found: Record<Side, string | undefined> = { old: role, new: role }
  if (across === role) found[other] = undefined
  return { ...m, poolRoles: { old: old ?? found.old, new: opened ?? found.new } }
}

/** Of several roles that of the most connections. */
async function roleOfMembers(m: Migration, writer: Side): Promise<string | undefined> {
  const [row] = await m.control[writer].run<{ role: string }>(
    `select a.usename::text as role from cutover.member m join pg_stat_activity a on a.pid = any (m.backends)
      where m.name = $1 and a.datname = current_database() and a.usename is not null
      group by 1 order by count(*) desc, 1 limit 1`,
    [m.name],
  )
  return row?.role
}

async function sessionRole(m: Migration, side: Side): Promise<string | undefined> {
  const [row] = await m.control[side].run<{ role: string }>(`select session_user::text as role`)
  return row?.role
}
