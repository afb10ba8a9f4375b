// The functions and triggers that put the keys of changed rows on record, as texts: none of them is dynamic.
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
  /**
   * Row by row, where a statement's own transition tables do not do: a MERGE that moves a row between partitions leaves them
   * empty, and a statement on a parent has the rows of its children in them without saying whose they are.
   */
  readonly byRow: boolean
  /** The role of the relay that writes into this side, where that may not be a replica: it is never recorded. */
  readonly relayRole: string | undefined
}

export interface CaptureFunction {
  readonly name: string
  /** Begins its source and differs when anything of it does. The key has a digest of its own, which is the second word. */
  readonly stamp: string
  readonly create: string
}

export type TriggerKind = 'ins' | 'upd' | 'del' | 'key' | 'tru'

export interface CaptureTrigger {
  readonly kind: TriggerKind
  readonly name: string
  readonly function: string
  /** As in `pg_trigger.tgtype`. */
  readonly type: number
  /** The statement, for the relation that it is created on. */
  create(relation: string): string
}

/** Both begin the names of what belongs to one table; the root's oid stands for all of a partitioned one. */
export const capturePrefix = (name: string, root: number): string => `${captureName(name)}_${root}_`

export const triggerName = (name: string, root: number, kind: TriggerKind): string =>
  `${capturePrefix(name, root)}${kind}`

/** With them a value's text is read back as the same value, whatever the session of the relay has set. */
const PINNED = `set datestyle = 'ISO, YMD' set timezone = 'UTC' set intervalstyle = 'postgres'
  set extra_float_digits = '3' set bytea_output = 'hex' set lc_monetary = 'C'`

const XID = 'pg_catalog.pg_current_xact_id()'

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
  const truncate = `insert into ${record} (xid, tbl, whole) values (${XID}, ${oid}, true);`
  // A partition that was detached keeps the trigger, and no longer speaks for the table that it was a part of.
  const ofRoot = `if exists (select from pg_catalog.pg_partition_ancestors(tg_relid) a (relid)
    where a.relid = ${oid}) then
    ${truncate}
  end if;`
  return [
    captureFunction(plan, 'new', byRow ? ofRow('new') : ofTransition('n')),
    captureFunction(plan, 'old', byRow ? ofRow('old') : ofTransition('o')),
    ...(byRow ? [] : [captureFunction(plan, 'row', ofRow('old'))]),
    captureFunction(plan, 'tru', table.partitioned ? ofRoot : truncate),
  ]
}

function captureFunction(plan: CapturePlan, kind: string, act: string): CaptureFunction {
  const name = `${capturePrefix(plan.name, plan.table.oid)}${kind}`
  const silent =
    plan.relayRole === undefined
      ? ''
      : `if session_user = ${quoteLiteral(plan.relayRole)} then return null; end if;`
  const body = `begin
  ${silent}
  ${act}
  return null;
end`
  const pins = plan.pinned && kind !== 'tru' ? PINNED : ''
  const stamp = `-- pg-cutover ${keyStamp(plan)} all ${digest(body + pins + changed(plan))}`
  return {
    name,
    stamp,
    create: `create or replace function cutover.${quoteIdent(name)}() returns trigger
  language plpgsql security definer set search_path = '' ${pins} as ${quoteLiteral(`${stamp}\n${body}`)}`,
  }
}

// By bytes: equal values may differ in their text (1.0 and 1.00), and a text depends on the session's settings.
const changed = ({ key }: Pick<CapturePlan, 'key'>): string => {
  const row = (side: string): string =>
    `row(${key.map((column) => `${side}.${quoteIdent(column)}`).join(', ')})::pg_catalog.record`
  return `${row('old')} operator(pg_catalog.*<>) ${row('new')}`
}

/** Those of the table itself. Its partitions have the same but for `tru`, which is made on each of them. */
export function captureTriggers(plan: CapturePlan): CaptureTrigger[] {
  const { name, table, byRow } = plan
  const trigger = (
    kind: TriggerKind,
    type: number,
    runs: string,
    event: string,
    level: string,
  ): CaptureTrigger => {
    const full = triggerName(name, table.oid, kind)
    const fn = `${capturePrefix(name, table.oid)}${runs}`
    return {
      kind,
      name: full,
      function: fn,
      type,
      create: (relation) =>
        `create trigger ${quoteIdent(full)} after ${event} on ${relation} ${level} execute function cutover.${quoteIdent(fn)}()`,
    }
  }
  const each = byRow ? 1 : 0
  const level = (transition: string): string =>
    byRow ? 'for each row' : `referencing ${transition} for each statement`
  return [
    trigger('ins', 4 + each, 'new', 'insert', level('new table as n')),
    trigger('upd', 16 + each, 'new', 'update', level('new table as n')),
    trigger('del', 8 + each, 'old', 'delete', level('old table as o')),
    // The old key, only where it is another one: cheaper than to compare the transition tables of each statement.
    trigger('key', 17, byRow ? 'old' : 'row', 'update', `for each row when (${changed(plan)})`),
    trigger('tru', 32, 'tru', 'truncate', 'for each statement'),
  ]
}

/** The table and, where it is partitioned, every table below it: columns relid and kind. */
export const relationsSql = (root: string): string =>
  `(select c.oid as relid, c.relkind as kind from pg_class c
     where c.oid = ${root} or c.oid in (select p.relid from pg_partition_tree(${root}) p))`
