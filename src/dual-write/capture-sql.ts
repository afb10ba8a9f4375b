// The functions and triggers that put the keys of changed rows on record, as texts: nothing in them is dynamic.
import { createHash } from 'node:crypto'
import { captureName, quoteIdent, quoteLiteral, recordTable } from '../control/names.js'
import type { TableAt } from './tables.js'

/** One table as it is to be captured. */
export interface CapturePlan {
  /** Of the migration. */
  readonly name: string
  readonly table: TableAt
  readonly key: readonly string[]
  /** Whether a key's text depends on settings of the application's session, which the functions then have to set. */
  readonly pinned: boolean
  /** Whether values of the key's columns are the same to the byte wherever they are equal. */
  readonly exact: boolean
  /**
   * Row by row, where a statement's own transition tables do not do: a MERGE that moves a row between partitions leaves them
   * empty, and a statement on a parent has the rows of its children in them without saying whose they are.
   */
  readonly byRow: boolean
  /** The role of the relay that writes into this side, where that may not be a replica: what it mirrors is not recorded. */
  readonly relayRole: string | undefined
}

export interface CaptureFunction {
  readonly name: string
  /** Begins its source, with a digest of the key and one of all that is made of it. */
  readonly stamp: string
  readonly create: string
}

export const TRIGGER_KINDS = ['ins', 'upd', 'del', 'key', 'tru'] as const

export type TriggerKind = (typeof TRIGGER_KINDS)[number]

export interface CaptureTrigger {
  readonly kind: TriggerKind
  readonly name: string
  readonly function: string
  /** As in `pg_trigger.tgtype`. */
  readonly type: number
  /** The statement that creates it: what comes before the table and what comes after. */
  readonly before: string
  readonly after: string
}

type FunctionKind = 'new' | 'old' | 'row' | 'tru'

/** The root's oid stands for all of a partitioned table. No longer than a name may be. */
export const functionName = (name: string, root: number, kind: FunctionKind): string =>
  `${captureName(name)}_${root}_${kind}`

const triggerName = (name: string, root: number, kind: TriggerKind): string =>
  `${captureName(name)}_${root}_${kind}`

/** With them a value's text is read back as the same value, whatever the session of the relay has set. */
const PINNED = `set datestyle = 'ISO, YMD' set timezone = 'UTC' set intervalstyle = 'postgres'
  set extra_float_digits = '3' set bytea_output = 'hex' set lc_monetary = 'C'`

const XID = 'pg_catalog.pg_current_xact_id()'

/** What the source of each of the functions begins with, if it records rows by this key. */
export const stampOfKey = (key: readonly string[]): string => `-- pg-cutover ${keyStamp({ key })} `

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 16)

/** Of the columns by which the record names rows: another one means that what is on record names them otherwise. */
export const keyStamp = ({ key }: Pick<CapturePlan, 'key'>): string => `key ${digest(JSON.stringify(key))}`

/** The key of `row` as the record has it. */
export function keyText(row: string, key: readonly string[]): string {
  const parts = key.map((column) => `${row}.${quoteIdent(column)}::pg_catalog.text`)
  return parts.length === 1 ? parts.join() : `(array[${parts.join(', ')}])::pg_catalog.text`
}

export function captureFunctions(plan: CapturePlan): CaptureFunction[] {
  const { name, table, key, byRow } = plan
  const record = `cutover.${quoteIdent(recordTable(name))}`
  const oid = `'${table.oid}'::pg_catalog.oid`
  const ofTransition = (alias: string): string =>
    `insert into ${record} (xid, tbl, key) select ${XID}, ${oid}, ${keyText(alias, key)} from ${alias};`
  const ofRow = (row: string): string =>
    `insert into ${record} (xid, tbl, key) values (${XID}, ${oid}, ${keyText(row, key)});`
  const truncated = `insert into ${record} (xid, tbl, whole) values (${XID}, ${oid}, true);`
  // A partition that was detached keeps the trigger, and no longer speaks for the table that it was a part of.
  const inPart = `if exists (select from pg_catalog.pg_partition_ancestors(tg_relid) a (relid) where a.relid = ${oid}) then
    ${truncated}
  end if;`
  return [
    captureFunction(plan, 'new', byRow ? ofRow('new') : ofTransition('n')),
    captureFunction(plan, 'old', byRow ? ofRow('old') : ofTransition('o')),
    ...(byRow ? [] : [captureFunction(plan, 'row', ofRow('old'))]),
    captureFunction(plan, 'tru', table.partitioned ? inPart : truncated),
  ]
}

function captureFunction(plan: CapturePlan, kind: FunctionKind, act: string): CaptureFunction {
  const name = functionName(plan.name, plan.table.oid, kind)
  const body = `begin
  ${unlessMirrored(plan)}
  ${act}
  return null;
end`
  const pins = plan.pinned && kind !== 'tru' ? PINNED : ''
  const stamp = `-- pg-cutover ${keyStamp(plan)} all ${digest(body + pins + keyChanges(plan))}`
  return {
    name,
    stamp,
    // Security definer, since the application's role may not write to the control schema.
    create: `create or replace function cutover.${quoteIdent(name)}() returns trigger
  language plpgsql security definer set search_path = '' ${pins} as ${quoteLiteral(`${stamp}\n${body}`)}`,
  }
}

// As the fence knows it. Once the side takes writes, what the same role does there is recorded like anybody's work.
const unlessMirrored = ({ name, relayRole }: CapturePlan): string =>
  relayRole === undefined
    ? ''
    : `if session_user = ${quoteLiteral(relayRole)} and exists (select from cutover.side s
    where s.name = ${quoteLiteral(name)} and s.status in ('mirror', 'moved')) then return null; end if;`

// By bytes: equal values may differ in their text (1.0 and 1.00), and a text depends on the session's settings. The server
// reads the condition anew for each statement, and one that compares whole rows is long.
function keyChanges({ key, exact }: Pick<CapturePlan, 'key' | 'exact'>): string {
  const columns = key.map(quoteIdent)
  if (exact) return columns.map((column) => `old.${column} is distinct from new.${column}`).join(' or ')
  const row = (side: string): string =>
    `row(${columns.map((column) => `${side}.${column}`).join(', ')})::pg_catalog.record`
  return `${row('old')} operator(pg_catalog.*<>) ${row('new')}`
}

/** Those of the table itself. Its partitions get clones of them, but for `tru`, which is made on each one that has rows. */
export function captureTriggers(plan: CapturePlan): CaptureTrigger[] {
  const { byRow } = plan
  const each = byRow ? 1 : 0
  const changes = (transition: string): string =>
    byRow ? 'for each row' : `referencing ${transition} for each statement`
  return [
    trigger(plan, 'ins', 4 + each, 'insert', changes('new table as n'), 'new'),
    trigger(plan, 'upd', 16 + each, 'update', changes('new table as n'), 'new'),
    trigger(plan, 'del', 8 + each, 'delete', changes('old table as o'), 'old'),
    // The old key, only where it is another one: cheaper than to compare the transition tables of each statement.
    trigger(plan, 'key', 17, 'update', `for each row when (${keyChanges(plan)})`, byRow ? 'old' : 'row'),
    trigger(plan, 'tru', 32, 'truncate', 'for each statement', 'tru'),
  ]
}

function trigger(
  plan: CapturePlan,
  kind: TriggerKind,
  type: number,
  event: string,
  level: string,
  runs: FunctionKind,
): CaptureTrigger {
  const name = triggerName(plan.name, plan.table.oid, kind)
  const fn = functionName(plan.name, plan.table.oid, runs)
  return {
    kind,
    name,
    function: fn,
    type,
    before: `create trigger ${quoteIdent(name)} after ${event} on `,
    after: ` ${level} execute function cutover.${quoteIdent(fn)}()`,
  }
}

/**
 * The table and, where it is partitioned, every table below it: columns relid and filled, which is true of those that hold
 * rows themselves. (A table with a key has no foreign partitions.)
 */
export const relationsSql = (root: string, isPartitioned: string): string =>
  `(select p.relid::oid as relid, p.isleaf as filled from pg_partition_tree(${root}) p where ${isPartitioned}
     union all select ${root}, true where not ${isPartitioned})`
