// Puts capture on the tables of one side, one table at a time and in short waits for its lock, and takes it off again.
import type { ControlConnection } from '../control/control-connection.js'
import { persist } from '../control/locked-unit.js'
import type { Migration } from '../control/migration.js'
import { captureName, CONTROL_SCHEMA, quoteIdent, quoteLiteral, recordTable } from '../control/names.js'
import { PHASES } from '../phase/phases.js'
import type { Side } from '../phase/phases.js'
import { readCapture } from './capture-state.js'
import { captureUnit } from './capture-unit.js'
import { quoteTable, readMirrored } from './tables.js'
import type { MirroredTable } from './tables.js'

/**
 * Has every change of a mirrored table of this side recorded, from each table's turn on. Tables that are as they should be
 * are not touched. A table that is captured for the first time while its side takes writes has its backfill begun in the
 * same transaction; one that was captured with gaps, or by another key, is brought over anew as after a TRUNCATE.
 */
export async function installCapture(
  m: Migration,
  side: Side,
  deadline: number,
): Promise<{ readonly tables: readonly MirroredTable[]; readonly installed: readonly MirroredTable[] }> {
  const control = m.control[side]
  await ensureRecord(control, m.name)
  const { tables } = await readMirrored(m, side, { old: m.control.old.run, new: m.control.new.run })
  const installed: MirroredTable[] = []
  for (const { table, plan, fault } of await readCapture(control.run, m.name, tables)) {
    if (fault === undefined) continue
    await persist(control, deadline, {
      what: `the capture of ${quoteTable(plan.table)} of the ${side} database`,
      guard: `perform from cutover.side where name = ${quoteLiteral(m.name)} and status <> 'fenced' for share`,
      act: captureUnit(plan),
    })
    if (fault === 'not captured') installed.push(table)
  }
  return { tables, installed }
}

async function ensureRecord(control: ControlConnection, name: string): Promise<void> {
  const table = `cutover.${quoteIdent(recordTable(name))}`
  // Of the catalog itself: what a session has looked up by name before, it would not look up anew behind the lock.
  const there = `select exists (select from pg_class
    where relnamespace = (select oid from pg_namespace where nspname = ${quoteLiteral(CONTROL_SCHEMA)})
      and relname = ${quoteLiteral(recordTable(name))}) as there`
  if ((await control.run<{ there: boolean }>(there))[0]?.there === true) return
  await control.transaction(async (run) => {
    await run(`select pg_advisory_xact_lock(hashtextextended('pg-cutover: control schema', 0))`)
    if ((await run<{ there: boolean }>(there))[0]?.there === true) return
    // Rows come and go: vacuumed by their number, since a share of a table that is mostly empty says nothing.
    await run(`create table ${table} (
      xid xid8 not null, tbl oid not null, key text collate "C", whole boolean not null default false
    ) using heap with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
      autovacuum_vacuum_cost_delay = 0)`)
    await run(`create index on ${table} (xid)`)
    await run(`create index on ${table} (tbl) where whole`)
    // It has no key, and without one nothing of it can be deleted where somebody publishes all tables.
    await run(`alter table ${table} replica identity full`)
  })
}

/**
 * Takes all of it off this side, with what is on record. What is not there, or no longer, is no error; rejects with
 * `ERR_RIVAL` where the side writes in a phase with a mirror, which somebody has begun again meanwhile.
 */
export async function removeCapture(
  m: Migration,
  side: Side,
  deadline: number = performance.now() + m.timings.prepareTimeoutMillis,
): Promise<void> {
  const control = m.control[side]
  const prefix = `${captureName(m.name)}_`
  for (;;) {
    const tables = await control.run<{ relation: string; triggers: string[] }>(TRIGGERS, [prefix])
    if (tables.length === 0) break
    for (const { relation, triggers } of tables)
      await persist(control, deadline, {
        what: `taking capture off ${relation} of the ${side} database`,
        guard: withoutMirror(m.name),
        act: triggers.map((name) => `drop trigger if exists ${quoteIdent(name)} on ${relation};`).join('\n'),
      })
  }
  const functions = await control.run<{ name: string }>(FUNCTIONS, [prefix])
  const name = quoteLiteral(m.name)
  await persist(control, deadline, {
    what: `taking the record of changes off the ${side} database`,
    guard: withoutMirror(m.name),
    act: `
      ${functions.map((fn) => `drop function if exists cutover.${quoteIdent(fn.name)}();`).join('\n')}
      drop table if exists cutover.${quoteIdent(recordTable(m.name))};
      if to_regclass('cutover.stuck') is not null then
        delete from cutover.relay where name = ${name};
        delete from cutover.backfill where name = ${name};
        delete from cutover.stuck where name = ${name};
      end if;`,
  })
}

const MIRRORED = Object.entries(PHASES)
  .filter(([, { mirroredTo }]) => mirroredTo !== undefined)
  .map(([phase]) => quoteLiteral(phase))

// A process that stands still here and goes on days later must not take a mirror off that is in use.
const withoutMirror = (name: string): string => `perform 1;
  if to_regclass('cutover.side') is not null then
    perform from cutover.side where name = ${quoteLiteral(name)} for share;
    perform 1 where not exists (select from cutover.side where name = ${quoteLiteral(name)}
      and status in ('writer', 'fenced') and phase in (${MIRRORED.join(', ')}));
  end if`

const OURS = `p.pronamespace = to_regnamespace('cutover') and starts_with(p.proname, $1)
    and substr(p.proname, length($1) + 1) ~ '^[0-9]+_(new|old|row|tru)$'`

// Those of partitions that were cloned from their root's go with it.
const TRIGGERS = `
  select format('%I.%I', n.nspname, c.relname) as relation, array_agg(t.tgname::text) as triggers
    from pg_proc p join pg_trigger t on t.tgfoid = p.oid
    join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace
   where ${OURS} and t.tgparentid = 0
   group by 1 order by 1`

const FUNCTIONS = `select p.proname::text as name from pg_proc p where ${OURS}`
