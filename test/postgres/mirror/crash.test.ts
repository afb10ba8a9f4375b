// What catch-up has proved must survive: a server that forgets the last rows in a crash would be opened without them.
import { expect, inject, it } from 'vitest'
import { controlConnection } from '../../../src/control/control-connection.js'
import { ensureStandingTriggers } from '../../../src/coordinator/fence-triggers.js'
import { ensureRows } from '../../../src/coordinator/begin-mirror.js'
import { changeWriter } from '../../../src/coordinator/coordinator.js'
import { createForward } from '../../../src/mirror/replication.js'
import { noGate } from '../../../src/pool/gate.js'
import { startServer } from '../../support/servers.js'
import { migrationBetween, one } from './fixture.js'

it('has on disk what it has proved, when both servers are killed before the decision', async () => {
  // Rows are applied without waiting for the disk, and here nothing else would bring them there in time.
  const seeds = inject('seeds')
  const [old, next] = await Promise.all([
    startServer(15, { seeds }),
    startServer(18, { seeds, settings: { wal_writer_delay: '10000ms' } }),
  ])
  const control = {
    old: controlConnection({ side: 'old', config: { connectionString: old.url() } }),
    new: controlConnection({ side: 'new', config: { connectionString: next.url() } }),
  }
  const writer = control.old.fork()
  const base = migrationBetween('crash', control, { old: old.url(), new: next.url() })
  const m = {
    ...base,
    gate: {
      ...noGate(() => 'old' as const),
      // The last write before the fence; everything earlier was flushed by what prepare makes.
      drain: async () => void (await writer.run(`insert into public.item values (1)`)),
    },
  }
  try {
    for (const { run } of Object.values(control)) await run(`create table public.item (id int primary key)`)
    await ensureRows(m, 'old', 'mirror')
    await ensureStandingTriggers(m, 'new', performance.now() + 10_000)
    await createForward(m, 'old', () => {})
    const killed = new Promise((resolve) => {
      m.events.on('step', ({ step, state }) => {
        if (step === 'catch-up' && state === 'done') resolve(Promise.all([next.kill(), old.kill()]))
      })
    })
    const change = changeWriter(m, 'new', 'live').catch(() => undefined)
    await killed
    await next.start()
    const survivor = control.new.fork()
    expect(await one(survivor.run, `select count(*)::int from public.item`)).toBe(1)
    expect(await one(survivor.run, `select epoch::int from cutover.sentinel_crash_from_old`)).toBe(1)
    await survivor.close()
    await old.start()
    // With both servers back either end is right; the row is on both sides.
    await change
  } finally {
    await Promise.all([writer.close(), control.old.close(), control.new.close()])
    await Promise.all([old.destroy(), next.destroy()])
  }
}, 60_000)
