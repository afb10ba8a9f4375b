// An autovacuum at work on a table in scope gives way to the fence, for a superuser and for a role with no such rights.
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, inject, it } from 'vitest'
import { ensureRows } from '../../../src/coordinator/begin-mirror.js'
import { changeWriter } from '../../../src/coordinator/coordinator.js'
import type { Migration } from '../../../src/control/migration.js'
import type { Side } from '../../../src/phase/phases.js'
import { noGate } from '../../../src/pool/gate.js'
import { startPair } from '../../support/servers.js'
import type { Pair } from '../../support/servers.js'
import { migrationOver } from '../protocol/fixture.js'

let pair: Pair
let m: Migration
let admin: Migration

beforeAll(async () => {
  pair = await startPair({ seeds: inject('seeds'), settings: { autovacuum_naptime: '1s' } })
  admin = migrationOver('admin', urls())
  for (const side of ['old', 'new'] as const) {
    await admin.control[side].run(`
      create role plain login password 'plain' in role pg_read_all_stats;
      grant create on database postgres to plain; grant create on schema public to plain`)
  }
})
afterAll(async () => {
  await Promise.all([admin.control.old.close(), admin.control.new.close()])
  await pair.destroy()
})
afterEach(() => Promise.all([m.control.old.close(), m.control.new.close()]))

function urls(as?: string): Record<Side, string> {
  const of = (side: Side): string => {
    const url = new URL(pair[side].url())
    if (as !== undefined) url.username = url.password = as
    return url.href
  }
  return { old: of('old'), new: of('new') }
}

/** One that takes minutes over a table of this name is at work. */
async function vacuuming(table: string): Promise<void> {
  const query = `select from pg_stat_progress_vacuum where relid = 'public.${table}'::regclass`
  while ((await admin.control.old.run(query)).length === 0) await delay(10)
}

it.each([
  // First, since who makes the control schema owns it.
  ['a plain role, after deadlock_timeout', 'plain', 1_450],
  ['a superuser, within a moment', 'postgres', 500],
] as const)('for %s', async (_, role, fenceMillis) => {
  const table = `of_${role}`
  for (const side of ['old', 'new'] as const) {
    await admin.control[side].run(`
      create table public.${table} (id int primary key, x int) with (autovacuum_vacuum_threshold = 1,
        autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1);
      alter table public.${table} owner to ${role}`)
  }
  await admin.control.old.run(`insert into public.${table} select i, 0 from generate_series(1, 20000) i`)
  await admin.control.old.run(`update public.${table} set x = x + 1`)
  m = migrationOver(`as_${role}`, urls(role === 'plain' ? role : undefined), {
    gate: { ...noGate(() => 'old'), arm: () => vacuuming(table) },
    tables: [`public.${table}`],
  })
  await ensureRows(m, 'old', 'old')
  await vacuuming(table)
  // It is there when the triggers are made, and there again when the fence is closed.
  const event = await changeWriter(m, 'new', 'new')
  expect(event.outcome).toBe('done')
  expect(event.steps['fence']).toBeLessThan(fenceMillis)
  console.log(
    `fence ${event.steps['fence']?.toFixed(0)} ms, prepare ${event.steps['prepare']?.toFixed(0)} ms`,
  )
})
