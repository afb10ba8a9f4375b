// What the application's role needs of the control schema to be a member: the GRANTs, those that are missing, and giving them.
import { CutoverError } from '../errors.js'
import type { ControlConnection, Run } from './control-connection.js'
import { ADVANCE_IDLE_SLOT } from './idle-slot-sql.js'
import { CONTROL_SCHEMA, quoteIdent } from './names.js'

/**
 * By table of the control schema. A member reads and ends what a coordinator has left, so it may update the side's row; it
 * never makes one. The journal belongs to coordinators alone.
 */
const TABLES = {
  version: ['select'],
  call: ['select'],
  side: ['select', 'update'],
  member: ['select', 'insert', 'update', 'delete'],
  shadow: ['select', 'insert', 'update'],
  shadow_process: ['select', 'insert', 'update', 'delete'],
  shadow_statement: ['select', 'insert', 'update', 'delete'],
} as const satisfies Readonly<Record<string, readonly string[]>>

/** The relay of a mirror by dual-write reads the record and forgets what it has written; a backfill adds to it. */
const RELAY_TABLES = ['relay', 'backfill', 'stuck'] as const
const RELAY_PRIVILEGES = ['select', 'insert', 'update', 'delete'] as const

type Wanted = readonly (readonly [table: string, privileges: readonly string[]])[]

const wanted = (record: string | undefined): Wanted => [
  ...Object.entries(TABLES),
  ...(record === undefined
    ? []
    : [...RELAY_TABLES, record].map((table) => [table, RELAY_PRIVILEGES] as const)),
]

const grantUsage = (role: string): string => `grant usage on schema ${CONTROL_SCHEMA} to ${quoteIdent(role)}`

/** Members look after idle slots, which takes a right over all slots of the server otherwise. */
const grantAdvance = (role: string): string =>
  `grant execute on function ${ADVANCE_IDLE_SLOT} to ${quoteIdent(role)}`

/** One for all tables that need the same. */
function grantsOn(tables: Wanted, role: string): string[] {
  const byPrivileges = new Map<string, string[]>()
  for (const [table, privileges] of tables) {
    const key = privileges.join(', ')
    byPrivileges.set(key, [...(byPrivileges.get(key) ?? []), `${CONTROL_SCHEMA}.${table}`])
  }
  return [...byPrivileges].map(
    ([privileges, names]) => `grant ${privileges} on ${names.join(', ')} to ${quoteIdent(role)}`,
  )
}

/**
 * Every GRANT that lets a role be a member on a side, in the order in which they can be run; running them again changes
 * nothing. `record` is the table with the record of a mirror by dual-write, see `recordTable`, and left out with another mirror.
 */
export const memberGrants = (role: string, record?: string): string[] => [
  grantUsage(role),
  ...grantsOn(wanted(record), role),
  grantAdvance(role),
]

/** Those of {@link memberGrants} that a side still lacks. Of what is not there yet nothing is missing. */
export async function missingMemberGrants(run: Run, role: string, record?: string): Promise<string[]> {
  const tables = wanted(record)
  const rows = await run<{
    lacksUsage: boolean | null
    lacksAdvance: boolean | null
    missing: string[] | null
  }>(
    `select (select not has_schema_privilege(r.oid, n.oid, 'usage') from pg_namespace n where n.nspname = $2) as "lacksUsage",
            not has_function_privilege(r.oid, to_regprocedure($5), 'execute') as "lacksAdvance",
            (select array_agg(c.relname::text)
               from unnest($3::text[], $4::text[]) as w(tbl, privileges)
               join pg_class c on c.relname = w.tbl join pg_namespace n on n.oid = c.relnamespace and n.nspname = $2,
                    lateral unnest(string_to_array(w.privileges, ',')) as p
              where not has_table_privilege(r.oid, c.oid, p)) as missing
       from pg_roles r where r.rolname = $1`,
    [
      role,
      CONTROL_SCHEMA,
      tables.map(([table]) => table),
      tables.map(([, privileges]) => privileges.join(',')),
      ADVANCE_IDLE_SLOT,
    ],
  )
  const [found] = rows
  if (!found) return memberGrants(role, record)
  const lacks = new Set(found.missing ?? [])
  return [
    ...(found.lacksUsage ? [grantUsage(role)] : []),
    ...grantsOn(
      tables.filter(([table]) => lacks.has(table)),
      role,
    ),
    ...(found.lacksAdvance ? [grantAdvance(role)] : []),
  ]
}

/** Gives what is missing, and tells what that was. Throws `ERR_PREFLIGHT` naming a role that is not there. */
export async function grantMembers(
  control: ControlConnection,
  roles: readonly string[],
  record?: string,
): Promise<string[]> {
  await requireRoles(control, roles)
  const given: string[] = []
  for (const role of roles) given.push(...(await missingMemberGrants(control.run, role, record)))
  // All or none: with half of them a member would fail later and say less of why.
  if (given.length > 0) await control.transaction(async (run) => void (await run(given.join('; '))))
  return given
}

/** Throws `ERR_PREFLIGHT` naming the roles that this side's server does not have. */
export async function requireRoles(control: ControlConnection, roles: readonly string[]): Promise<void> {
  const found = await control.run<{ name: string }>(
    `select rolname::text as name from pg_roles where rolname = any ($1::text[])`,
    [roles],
  )
  const missing = roles.filter((role) => !found.some(({ name }) => name === role))
  if (missing.length === 0) return
  throw new CutoverError(
    'ERR_PREFLIGHT',
    `the ${control.side} server at ${control.address} has no role ${missing.map((role) => `"${role}"`).join(', ')}; create it there, with what the application needs`,
  )
}
