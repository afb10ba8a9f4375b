// The fence's triggers: standing ones on the side that is mirrored to, disabled ones of the next epoch on the writer.
import type { ControlConnection, Run } from '../control/control-connection.js'
import { LOCK_MILLIS, lockedUnit, persist } from '../control/locked-unit.js'
import { fenceTrigger, quoteIdent, quoteLiteral } from '../control/names.js'
import { CutoverError } from '../errors.js'
import { tablesOn } from '../mirror/mapping.js'
import { readScope } from '../mirror/scope.js'
import type { ScopedTable } from '../mirror/scope.js'
import { isGuardFailure, isLockFailure } from '../control/unit.js'
import type { Migration } from '../control/migration.js'
import type { Side } from '../phase/phases.js'

const triggerOf = ({ side }: Pick<ControlConnection, 'side'>, table: ScopedTable): string =>
  `the fence's trigger on ${tableName(table)} of the ${side} database`

export const tableName = (table: ScopedTable): string =>
  `${quoteIdent(table.schema)}.${quoteIdent(table.name)}`

// Then set to the wanted state in the same transaction, so that no writer ever meets it in the other one.
const createTrigger = (
  m: Migration,
  table: ScopedTable,
  epoch: number,
  state: 'enable' | 'disable',
): string => `
  if not exists (select from pg_trigger where tgrelid = ${table.oid} and tgname = ${quoteLiteral(fenceTrigger(m.name, epoch))}) then
    create trigger ${quoteIdent(fenceTrigger(m.name, epoch))}
      before insert or update or delete or truncate on ${tableName(table)}
      for each statement execute function cutover.fence(${quoteLiteral(m.name)}, ${quoteLiteral(String(epoch))});
  end if;
  alter table only ${tableName(table)} ${state} trigger ${quoteIdent(fenceTrigger(m.name, epoch))};`

/**
 * Closes the side that is mirrored to, before a row is copied: applications are refused, apply workers pass. The argument
 * is above what the side has ever been opened with, and below or equal to any epoch that will open it.
 */
export async function ensureStandingTriggers(m: Migration, side: Side, deadline: number): Promise<void> {
  const control = m.control[side]
  const [row] = await control.run<{ opened: string }>(
    `select opened::text from cutover.side where name = $1 and status in ('mirror', 'moved')`,
    [m.name],
  )
  if (!row) {
    throw new CutoverError('ERR_RIVAL', `the ${side} database takes writes, so it cannot be mirrored to`)
  }
  const opened = Number(row.opened)
  const scope = await readScope(control.run, tablesOn(m, side))
  const shut = await tablesWith(control.run, m, 'enabled', opened + 1)
  for (const table of scope.filter(({ oid }) => !shut.has(oid))) {
    await persist(control, deadline, {
      what: triggerOf(control, table),
      guard: `perform from cutover.side where name = ${quoteLiteral(m.name)} and opened = ${opened}
        and status in ('mirror', 'moved') for share`,
      act: createTrigger(m, table, opened + 1, 'enable'),
    })
  }
}

/**
 * Puts the triggers of the next epoch in place on the writer, disabled. Created and disabled in one transaction under the
 * row's lock: a rival that has fenced meanwhile must not find its standing fence lifted.
 */
export async function ensureNextTriggers(
  m: Migration,
  side: Side,
  epoch: number,
  scope: readonly ScopedTable[],
  deadline: number,
): Promise<void> {
  const control = m.control[side]
  const ready = await tablesWith(control.run, m, 'disabled', epoch)
  for (const table of scope.filter(({ oid }) => !ready.has(oid))) {
    await persist(control, deadline, {
      what: triggerOf(control, table),
      guard: `perform from cutover.side where name = ${quoteLiteral(m.name)} and epoch = ${epoch - 1}
        and status = 'writer' for update`,
      act: createTrigger(m, table, epoch, 'disable'),
    })
  }
}

/**
 * Takes away triggers of epochs that this writer has been opened with: they let everything pass, at some microseconds a
 * statement. What cannot be locked at once is left for the next time.
 */
export async function removeLiftedTriggers(m: Migration, side: Side): Promise<void> {
  const control = m.control[side]
  const lifted = await control.run<{
    oid: string
    schema: string
    name: string
    trigger: string
    epoch: string
  }>(
    `select c.oid::text, n.nspname as schema, c.relname as name, t.tgname as trigger, e.epoch
       from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_namespace n on n.oid = c.relnamespace,
            substring(t.tgname from '[0-9]+$') as e(epoch), cutover.side s
      where t.tgfoid = 'cutover.fence()'::regprocedure and t.tgname ~ $2 and s.name = $1
        and s.status = 'writer' and s.opened >= e.epoch::bigint`,
    [m.name, `^${fenceTrigger(m.name, 0).slice(0, -1)}[0-9]+$`],
  )
  for (const { oid, schema, name, trigger, epoch } of lifted) {
    const table: ScopedTable = { oid: Number(oid), schema, name, kind: 'r' }
    const guard = `perform from cutover.side where name = ${quoteLiteral(m.name)} and status = 'writer'
      and opened >= ${epoch} for update`
    const drop = `drop trigger if exists ${quoteIdent(trigger)} on ${tableName(table)};`
    const alter = `alter table only ${tableName(table)} disable trigger ${quoteIdent(trigger)};`
    // Dropping makes readers queue too, so it is given up fast; disabling concerns writers alone.
    for (const [act, lockMillis] of [
      [drop, 20],
      [alter, LOCK_MILLIS],
    ] as const) {
      try {
        await control.run(lockedUnit({ guard, act }, lockMillis))
        break
      } catch (error) {
        // The side was left meanwhile: its triggers stay for ever.
        if (isGuardFailure(error)) return
        if (!isLockFailure(error)) throw error
      }
    }
  }
}

/** Tables that have the fence's trigger of this epoch in this state. */
async function tablesWith(
  run: Run,
  m: Migration,
  state: 'enabled' | 'disabled',
  epoch: number,
): Promise<ReadonlySet<number>> {
  const rows = await run<{ oid: string }>(
    `select tgrelid::oid::text as oid from pg_trigger
      where tgfoid = 'cutover.fence()'::regprocedure and tgname = $1 and tgenabled = any ($2::"char"[])`,
    [fenceTrigger(m.name, epoch), state === 'enabled' ? ['O', 'A'] : ['D']],
  )
  return new Set(rows.map(({ oid }) => Number(oid)))
}
