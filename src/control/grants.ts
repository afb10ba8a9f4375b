// What the application's role needs of the control schema to be a member: the GRANTs, those that are missing, and giving them.
import { CutoverError } from '../errors.js'
import type { ControlConnection, Run } from './control-connection.js'
import { CONTROL_SCHEMA, quoteIdent } from './names.js'

/**
 * By table of the control schema. A member reads and ends what a coordinator has left, so it may update the side's row; it
 * never makes one. The journal belongs to coordinators alone.
 */
const TABLES = {
  version: ['select'],
  side: ['select', 'update'],
  member: ['select', 'insert', 'update', 'delete'],
  call: ['select'],
  shadow: ['select', 'insert', 'update'],
  shadow_process: ['select', 'insert', 'update', 'delete'],
  shadow_statement: ['select', 'insert', 'update', 'delete'],
  relay: ['select', 'insert', 'update', 'delete'],
  backfill: ['select', 'insert', 'update', 'delete'],
  stuck: ['select', 'insert', 'update', 'delete'],
} as const satisfies Readonly<Record<string, readonly string[]>>

/** The relay of a mirror by dual-write reads the record and forgets what it has written; a backfill adds to it. */
const RECORD = ['select', 'insert', 'update', 'delete'] as const

const grantUsage = (role: string): string => `grant usage on schema ${CONTROL_SCHEMA} to ${quoteIdent(role)}`

const grantOn = (table: string, privileges: readonly string[], role: string): string =>
  `grant ${privileges.join(', ')} on ${CONTROL_SCHEMA}.${quoteIdent(table)} to ${quoteIdent(role)}`

const wanted = (record: string | undefined): [string, readonly string[]][] => [
  ...Object.entries(TABLES),
  ...(record === undefined ? [] : [[record, RECORD] as [string, readonly string[]]]),
]

/**
 * Every GRANT that lets a role be a member on a side, in the order in which they can be run; running them again changes
 * nothing. `record` is the table with the record of a mirror by dual-write, see `recordTable`.
 */
export const memberGrants = (role: string, record?: string): string[] => [
  grantUsage(role),
  ...wanted(record).map(([table, privileges]) => grantOn(table, privileges, role)),
]

/** Those of {@link memberGrants} that a side still lacks. Of tables that are not there yet nothing is missing. */
export async function missingMemberGrants(run: Run, role: string, record?: string): Promise<string[]> {
  const rows = await run<{ lacksUsage: boolean | null; missing: string[] | null }>(
    `select (select not has_schema_privilege(r.oid, n.oid, 'usage') from pg_namespace n where n.nspname = $2) as "lacksUsage",
            (select array_agg(c.relname::text)
               from unnest($3::text[], $4::text[]) as w(tbl, privileges)
               join pg_class c on c.relname = w.tbl join pg_namespace n on n.oid = c.relnamespace and n.nspname = $2,
                    lateral unnest(string_to_array(w.privileges, ',')) as p
              where not has_table_privilege(r.oid, c.oid, p)) as missing
       from pg_roles r where r.rolname = $1`,
    [
      role,
      CONTROL_SCHEMA,
      wanted(record).map(([table]) => table),
      wanted(record).map(([, privileges]) => privileges.join(',')),
    ],
  )
  const [found] = rows
  if (!found) return memberGrants(role, record)
  const lacks = new Set(found.missing ?? [])
  return [
    ...(found.lacksUsage ? [grantUsage(role)] : []),
    ...wanted(record)
      .filter(([table]) => lacks.has(table))
      .map(([table, privileges]) => grantOn(table, privileges, role)),
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
