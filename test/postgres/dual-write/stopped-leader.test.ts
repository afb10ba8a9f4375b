// A change of writer depends on nobody else's process: where the leader of the relay stands still, its own one takes over.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { beginMirror } from '../../../src/coordinator/begin-mirror.js'
import { changeWriter } from '../../../src/coordinator/coordinator.js'
import { compiled } from '../../support/compiled.js'
import { protocolFixture } from '../protocol/fixture.js'
import type { ProtocolFixture } from '../protocol/fixture.js'
import type { Relaying } from './relaying-process.js'

let f: ProtocolFixture
beforeAll(async () => {
  f = await protocolFixture({
    schema: `create table public.ledger (id int primary key)`,
    mirror: 'dual-write',
  })
  await beginMirror(f.m, 'old', 'old')
})
afterAll(() => f.drop())

it('moves, without a pause that is any longer, while the process that leads is stopped', async () => {
  const relaying: Relaying = { name: f.m.name, urls: f.urls, from: 'old' }
  const file = fileURLToPath(new URL('relaying-process.ts', import.meta.url))
  const child = spawn(process.execPath, [compiled(file), JSON.stringify(relaying)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = once(child, 'exit')
  try {
    await once(createInterface({ input: child.stdout }), 'line')
    child.kill('SIGSTOP')
    await f.m.control.old.run(`insert into public.ledger select generate_series(1, 100)`)
    const event = await changeWriter(f.m, 'new', 'live')
    expect(event.outcome).toBe('done')
    // Its session is ended by the server; the wait for that is before the hold.
    expect(event.pauseMillis).toBeLessThan(1_500)
    expect(await f.m.control.new.run(`select count(*)::int as n from public.ledger`)).toEqual([{ n: 100 }])
  } finally {
    child.kill('SIGKILL')
    await ended
  }
})
