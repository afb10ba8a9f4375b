// What of the capture of each table stands, and what is missing.
import type { Run } from '../control/control-connection.js'
import { captureName, quoteLiteral } from '../control/names.js'
import type { Migration } from '../control/migration.js'
import { captureFunctions, captureTriggers, keyStamp, relationsSql, TRIGGER_KINDS } from './capture-sql.js'
import type { CapturePlan } from './capture-sql.js'
import type { MirroredTable } from './tables.js'

/** Why changes of a table are not, or not all, on record. */
export type CaptureFault =
  | 'not captured'
  | 'another key'
  | 'trigger missing'
  | 'trigger disabled'
  | 'not current'

export interface CaptureState {
  readonly table: MirroredTable
  readonly plan: CapturePlan
  readonly fault: CaptureFault | undefined
}

interface StoodTrigger {
  readonly relation: number
  readonly name: string
  readonly function: string
  readonly type: number
  readonly enabled: boolean
}

interface Stood {
  readonly [column: string]: unknown
  readonly oid: number
  readonly kin: boolean
  readonly relay_role: string | null
  /** Columns whose text depends on the session. */
  readonly unpinned: readonly string[]
  readonly functions: Readonly<Record<string, string>>
  readonly relations: readonly { readonly oid: number; readonly kind: string }[]
  readonly triggers: readonly StoodTrigger[]
}

// By the output function: that of a domain is its base type's, that of citext is text's.
const SAME_IN_EVERY_SESSION = (
  'int2out int4out int8out oidout xid8out numeric_out boolout uuid_out enum_out textout varcharout bpcharout ' +
  'charout nameout bit_out varbit_out pg_lsn_out inet_out cidr_out macaddr_out macaddr8_out'
).split(' ')

/** The state of each of the tables, as the side that `run` asks has them. */
export async function readCapture(
  run: Run,
  name: string,
  tables: readonly MirroredTable[],
): Promise<CaptureState[]> {
  if (tables.length === 0) return []
  const stood = await run<Stood>(STATE, [
    tables.map(({ from }) => from.oid),
    captureName(name),
    SAME_IN_EVERY_SESSION,
    name,
  ])
  const byOid = new Map(stood.map((row) => [row.oid, row]))
  return tables.flatMap((table): CaptureState[] => {
    const found = byOid.get(table.from.oid)
    // Dropped since the tables were read.
    if (!found) return []
    const key = table.key.map((column) => column.name)
    const plan: CapturePlan = {
      name,
      table: table.from,
      key,
      pinned: key.some((column) => found.unpinned.includes(column)),
      byRow: table.from.partitioned || found.kin,
      relayRole: found.relay_role ?? undefined,
    }
    return [{ table, plan, fault: faultOf(plan, found) }]
  })
}

function faultOf(plan: CapturePlan, found: Stood): CaptureFault | undefined {
  const functions = captureFunctions(plan)
  const stamps = functions.map((wanted) => found.functions[wanted.name])
  if (stamps.every((stamp) => stamp === undefined)) return 'not captured'
  if (stamps.some((stamp) => stamp !== undefined && !stamp.includes(keyStamp(plan)))) return 'another key'
  let fault: CaptureFault | undefined
  const triggers = new Map(found.triggers.map((trigger) => [`${trigger.relation} ${trigger.name}`, trigger]))
  for (const wanted of captureTriggers(plan))
    for (const relation of found.relations) {
      if (wanted.kind === 'tru' && relation.kind !== 'r') continue
      const stands = triggers.get(`${relation.oid} ${wanted.name}`)
      if (!stands) return 'trigger missing'
      if (!stands.enabled) return 'trigger disabled'
      if (stands.type !== wanted.type || stands.function !== wanted.function) fault = 'not current'
    }
  if (functions.some((wanted) => found.functions[wanted.name] !== wanted.stamp)) fault = 'not current'
  return fault
}

/** The tables whose changes are not all recorded, or not as this version does it; empty when all is well. */
export async function captureGaps(
  run: Run,
  { name }: Pick<Migration, 'name'>,
  tables: readonly MirroredTable[],
): Promise<{ readonly table: MirroredTable; readonly fault: CaptureFault }[]> {
  const states = await readCapture(run, name, tables)
  const seen = new Set(states.map(({ table }) => table))
  return [
    ...states.flatMap(({ table, fault }) => (fault === undefined ? [] : [{ table, fault }])),
    ...tables.filter((table) => !seen.has(table)).map((table) => ({ table, fault: 'not captured' as const })),
  ]
}

/**
 * A condition of SQL for a unit that holds the tables' locks: true only if each table, and every partition that it has by
 * then, still has its capture triggers and none is disabled.
 */
export function captureCheckSql({ name }: Pick<Migration, 'name'>, tables: readonly MirroredTable[]): string {
  if (tables.length === 0) return 'true'
  const oids = tables.map(({ from }) => from.oid)
  const kinds = TRIGGER_KINDS.map(quoteLiteral).join(', ')
  const prefix = quoteLiteral(`${captureName(name)}_`)
  return `not exists (
    select from unnest('{${oids.join(',')}}'::oid[]) as root(oid),
      lateral ${relationsSql('root.oid')} as r, unnest(array[${kinds}]) as k(kind)
     where (k.kind <> 'tru' or r.kind = 'r') and not exists (
       select from pg_trigger t where t.tgrelid = r.relid and t.tgenabled in ('O', 'A')
         and t.tgname = (${prefix} || root.oid || '_' || k.kind)::name))`
}

const STATE = `
  select c.oid::int8::float8 as oid,
    exists (select from pg_inherits i where i.inhparent = c.oid or i.inhrelid = c.oid) as kin,
    (select s.relay_role from cutover.side s where s.name = $4) as relay_role,
    (select coalesce(jsonb_agg(a.attname), '[]') from pg_attribute a
       join pg_type y on y.oid = a.atttypid join pg_proc o on o.oid = y.typoutput
       join pg_language l on l.oid = o.prolang
      where a.attrelid = c.oid and a.attnum > 0 and not (o.prosrc = any ($3) and l.lanname = 'internal')) as unpinned,
    (select coalesce(jsonb_object_agg(p.proname, split_part(p.prosrc, chr(10), 1)), '{}') from pg_proc p
      where p.pronamespace = to_regnamespace('cutover')
        and p.proname = any (array[x.prefix || 'new', x.prefix || 'old', x.prefix || 'row', x.prefix || 'tru']::name[])
    ) as functions,
    (select jsonb_agg(jsonb_build_object('oid', r.relid::int8, 'kind', r.kind)) from ${relationsSql('c.oid')} r) as relations,
    (select coalesce(jsonb_agg(jsonb_build_object('relation', t.tgrelid::int8, 'name', t.tgname, 'function', p.proname,
        'type', t.tgtype, 'enabled', t.tgenabled in ('O', 'A'))), '[]')
       from ${relationsSql('c.oid')} r join pg_trigger t on t.tgrelid = r.relid join pg_proc p on p.oid = t.tgfoid
      where t.tgname = any (array[x.prefix || 'ins', x.prefix || 'upd', x.prefix || 'del', x.prefix || 'key',
        x.prefix || 'tru']::name[])) as triggers
    from pg_class c, lateral (select $2 || '_' || c.oid || '_') x(prefix)
   where c.oid = any ($1::oid[])`
