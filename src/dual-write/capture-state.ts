// What of the capture of each table stands, and what is missing.
import type { Run } from '../control/control-connection.js'
import { captureName, quoteLiteral } from '../control/names.js'
import type { Migration } from '../control/migration.js'
import {
  captureFunctions,
  captureTriggers,
  functionName,
  keyStamp,
  relationsSql,
  stampOfKey,
  TRIGGER_KINDS,
} from './capture-sql.js'
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

interface StoodTable {
  readonly [column: string]: unknown
  readonly oid: number
  /** Whether it inherits, or is inherited from, partitions aside. */
  readonly kin: boolean
  readonly relay_role: string | null
  /** Columns whose text depends on the session. */
  readonly unpinned: readonly string[]
  /** Columns whose values are the same to the byte wherever they are equal. */
  readonly exact: readonly string[]
}

/** A relation of one of the tables, once for each of its triggers that are ours. */
interface StoodTrigger {
  readonly [column: string]: unknown
  readonly root: number
  readonly relation: number
  readonly filled: boolean
  readonly name: string | null
  readonly function: string | null
  readonly type: number | null
  readonly enabled: boolean | null
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
  const oids = tables.map(({ from }) => from.oid)
  const prefix = `${captureName(name)}_`
  const stood = await run<StoodTable>(TABLES, [oids, SAME_IN_EVERY_SESSION, name])
  const triggers = await run<StoodTrigger>(TRIGGERS, [oids, prefix])
  const functions = await run<{ name: string; stamp: string }>(FUNCTIONS, [prefix])
  const byOid = new Map(stood.map((row) => [row.oid, row]))
  const stamps = new Map(functions.map((row) => [row.name, row.stamp]))
  const byRoot = new Map<number, StoodTrigger[]>()
  for (const row of triggers) {
    const rows = byRoot.get(row.root)
    if (rows) rows.push(row)
    else byRoot.set(row.root, [row])
  }
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
      exact: key.every((column) => found.exact.includes(column)),
      byRow: table.from.partitioned || found.kin,
      relayRole: found.relay_role ?? undefined,
    }
    return [{ table, plan, fault: faultOf(plan, stamps, byRoot.get(table.from.oid) ?? []) }]
  })
}

function faultOf(
  plan: CapturePlan,
  stamps: ReadonlyMap<string, string>,
  stood: readonly StoodTrigger[],
): CaptureFault | undefined {
  const functions = captureFunctions(plan)
  const found = functions.flatMap((wanted) => stamps.get(wanted.name) ?? [])
  if (found.length === 0) return 'not captured'
  if (found.some((stamp) => !stamp.includes(keyStamp(plan)))) return 'another key'
  const triggers = new Map(stood.map((trigger) => [`${trigger.relation} ${trigger.name}`, trigger]))
  const relations = new Map(stood.map(({ relation, filled }) => [relation, filled]))
  let isCurrent = functions.every((wanted) => stamps.get(wanted.name) === wanted.stamp)
  for (const wanted of captureTriggers(plan))
    for (const [relation, filled] of relations) {
      if (wanted.kind === 'tru' && !filled) continue
      const stands = triggers.get(`${relation} ${wanted.name}`)
      if (!stands) return 'trigger missing'
      if (stands.enabled !== true) return 'trigger disabled'
      if (stands.type !== wanted.type || stands.function !== wanted.function) isCurrent = false
    }
  return isCurrent ? undefined : 'not current'
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

/** Tables whose changes are on record by other columns than those of `key`: what is on record must not be read as if it were. */
export async function recordedOtherwise(
  run: Run,
  { name }: Pick<Migration, 'name'>,
  tables: readonly MirroredTable[],
): Promise<ReadonlySet<number>> {
  const functions = await run<{ name: string; stamp: string }>(FUNCTIONS, [`${captureName(name)}_`])
  const stamps = new Map(functions.map((row) => [row.name, row.stamp]))
  const otherwise = tables.filter(({ from, key }) => {
    const stamp = stamps.get(functionName(name, from.oid, 'new'))
    return stamp !== undefined && !stamp.startsWith(stampOfKey(key.map((column) => column.name)))
  })
  return new Set(otherwise.map(({ from }) => from.oid))
}

/**
 * A condition of SQL for a unit that holds the tables' locks: true only if each table, and every partition that it has by
 * then, still has its capture triggers and none is disabled.
 */
export function captureCheckSql({ name }: Pick<Migration, 'name'>, tables: readonly MirroredTable[]): string {
  if (tables.length === 0) return 'true'
  const prefix = quoteLiteral(`${captureName(name)}_`)
  const [plain, roots] = [false, true].map((partitioned) =>
    tables.filter(({ from }) => from.partitioned === partitioned).map(({ from }) => from.oid),
  )
  // By its length too: another migration's name may go on where this one's ends.
  const ours = (root: string): string =>
    `t.tgenabled in ('O', 'A') and starts_with(t.tgname, ${prefix} || ${root} || '_')
      and length(t.tgname) = length(${prefix} || ${root}) + 4`
  // Counted, which takes a few milliseconds where looking for each by its name takes hundreds: it is asked in the pause.
  return `((select count(*) from pg_trigger t where t.tgrelid = any ('{${plain?.join(',')}}'::oid[])
      and ${ours('t.tgrelid')}) = ${(plain?.length ?? 0) * TRIGGER_KINDS.length}
    and not exists (
      select from unnest('{${roots?.join(',')}}'::oid[]) x (oid) cross join lateral pg_partition_tree(x.oid) p
        left join pg_trigger t on t.tgrelid = p.relid and ${ours('x.oid')}
       group by x.oid, p.relid, p.isleaf
      having count(t.oid) <> ${TRIGGER_KINDS.length} - (not p.isleaf)::int))`
}

const TABLES = `
  select c.oid::int8::float8 as oid,
    exists (select from pg_inherits i where i.inhparent = c.oid)
      or exists (select from pg_inherits i where i.inhrelid = c.oid) as kin,
    (select s.relay_role from cutover.side s where s.name = $3) as relay_role,
    (select coalesce(jsonb_agg(a.attname), '[]') from pg_attribute a
       join pg_type y on y.oid = a.atttypid join pg_proc o on o.oid = y.typoutput
       join pg_language l on l.oid = o.prolang
      where a.attrelid = c.oid and a.attnum > 0 and not (o.prosrc = any ($2) and l.lanname = 'internal')) as unpinned,
    (select coalesce(jsonb_agg(a.attname), '[]') from pg_attribute a
      where a.attrelid = c.oid and a.attnum > 0
        and a.atttypid = any ('{int2,int4,int8,uuid}'::regtype[])) as exact
    from pg_class c where c.oid = any ($1::oid[])`

const TRIGGERS = `
  select c.oid::int8::float8 as root, r.relid::int8::float8 as relation, r.filled, t.tgname::text as name,
    p.proname::text as function, t.tgtype::int as type, t.tgenabled in ('O', 'A') as enabled
    from pg_class c cross join lateral ${relationsSql('c.oid', `(c.relkind = 'p')`)} r
    left join pg_trigger t on t.tgrelid = r.relid and starts_with(t.tgname, $2)
    left join pg_proc p on p.oid = t.tgfoid
   where c.oid = any ($1::oid[])`

const FUNCTIONS = `
  select p.proname::text as name, split_part(p.prosrc, chr(10), 1) as stamp
    from pg_proc p where p.pronamespace = to_regnamespace('cutover') and starts_with(p.proname, $1)`
