// A server that dies in the middle of a change of writer, on a pair of its own: the other one serves, and nothing is lost.
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, inject, it } from 'vitest'
import { readSide } from '../../../src/control/side-row.js'
import { beginMirror } from '../../../src/coordinator/begin-mirror.js'
import { changeWriter } from '../../../src/coordinator/coordinator.js'
import { recover } from '../../../src/coordinator/recover.js'
import type { Migration } from '../../../src/control/migration.js'
import type { Side } from '../../../src/phase/phases.js'
import { startPair } from '../../support/servers.js'
import type { Pair } from '../../support/servers.js'
import { migrationOver } from '../protocol/fixture.js'

let pair: Pair
let m: Migration
let writes = 0

beforeEach(async () => {
  // A worker that has just been stopped is otherwise begun again after five seconds only.
  pair = await startPair({ seeds: inject('seeds'), settings: { wal_retrieve_retry_interval: '200ms' } })
  m = migrationOver('dead', { old: pair.old.url(), new: pair.new.url() }, { mirror: 'replication' })
  writes = 0
  for (const side of ['old', 'new'] as const)
    await m.control[side].run('create table public.ledger (id int primary key)')
  await beginMirror(m, 'old', 'old')
  await append('old')
})
afterEach(async () => {
  await Promise.all([m.control.old.close(), m.control.new.close()])
  await pair.destroy()
})

const append = (side: Side): Promise<unknown> =>
  m.control[side].run('insert into public.ledger values ($1)', [++writes])

async function arrived(side: Side): Promise<void> {
  for (;;) {
    const [row] = await m.control[side].run<{ n: number }>('select count(*)::int as n from public.ledger')
    if (row?.n === writes) return
    expect(row?.n).toBeLessThan(writes)
    await delay(3)
  }
}

/** Kills a server at a step, and is done when it is dead. */
function killAt(step: string, state: 'started' | 'done', side: Side): Promise<void> {
  return new Promise((resolve, reject) => {
    m.events.on('step', (event) => {
      if (event.step === step && event.state === state) pair[side].kill().then(resolve, reject)
    })
  })
}

it('NEW killed during catch-up: the attempt is aborted, OLD serves on, and the next one goes through', async () => {
  // Apply waits for this, so that the catch-up cannot be faster than the kill.
  const blocker = m.control.new.fork({ statementTimeoutMillis: 20_000 })
  const blocked = new Promise<void>((resolve) => {
    m.gate.arm = async () => {
      void blocker
        .transaction(async (run) => {
          await run('lock table public.ledger in share mode')
          resolve()
          await run('select pg_sleep(15)')
        })
        .catch(() => {})
      await blocked
      await append('old')
    }
  })
  const dead = killAt('catch-up', 'started', 'new')
  // Nobody can say that it has caught up, and reads are let go on.
  await expect(changeWriter(m, 'new', 'live')).rejects.toMatchObject({
    code: expect.stringMatching(/ERR_(CATCH_UP_TIMEOUT|UNREACHABLE)/),
  })
  await dead
  expect(await readSide(m.control.old, m.name)).toMatchObject({ status: 'writer', epoch: 1, opened: 1 })
  await append('old')
  // An unreachable side is skipped: its death never keeps the other one shut.
  const report = await recover(m)
  expect(report).toMatchObject({ done: [], writer: 'old' })
  expect(report.open).toEqual([expect.stringContaining('the new database')])

  m.events.removeAllListeners()
  m.gate.arm = () => Promise.resolve()
  await blocker.close()
  await pair.new.start()
  expect(await recover(m)).toMatchObject({ done: [], open: [], writer: 'old' })
  expect((await changeWriter(m, 'new', 'live')).outcome).toBe('done')
  await append('new')
  await arrived('old')
})

it('NEW killed after the decision: nobody writes until it is there again, and then it is opened', async () => {
  const dead = killAt('decide', 'done', 'new')
  const moved = changeWriter(m, 'new', 'live')
  await dead
  await expect(append('old')).rejects.toMatchObject({ code: '25006' })
  writes--
  await pair.new.start()
  expect((await moved).outcome).toBe('done')
  // Where it died a moment later, between its opening and the turn of the mirror, that is what is left.
  expect(await recover(m)).toMatchObject({ open: [], writer: 'new', phase: 'live' })
  await append('new')
  await arrived('old')
})

it('OLD killed after the decision: NEW serves, the way back is reported missing, and recover makes it', async () => {
  const dead = killAt('decide', 'done', 'old')
  const warnings: string[] = []
  m.events.on('warning', ({ code, message }) => warnings.push(`${code} ${message}`))
  const event = await changeWriter(m, 'new', 'live')
  await dead
  expect(event.outcome).toBe('done')
  expect(warnings).toEqual([expect.stringContaining('ERR_REVERSE traffic is on the new database')])
  await append('new')
  expect(await recover(m)).toMatchObject({ done: [], writer: 'new' })

  m.events.removeAllListeners()
  await pair.old.start()
  await expect(append('old')).rejects.toMatchObject({ code: '25006' })
  writes--
  expect(await recover(m)).toMatchObject({
    done: ['epoch 1: the mirror from the new database was enabled'],
    open: [],
    writer: 'new',
    phase: 'live',
  })
  expect((await recover(m)).done).toEqual([])
  await append('new')
  await arrived('old')
  expect((await changeWriter(m, 'old', 'shadow')).outcome).toBe('done')
  await append('old')
  await arrived('new')
})
