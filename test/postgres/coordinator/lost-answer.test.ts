// The network between the coordinator and a server fails: an answer that did not come is never taken for a yes or a no.
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { ControlConnection } from '../../../src/control/control-connection.js'
import { readSide } from '../../../src/control/side-row.js'
import { ensureStandingTriggers } from '../../../src/coordinator/fence-triggers.js'
import { changeWriter } from '../../../src/coordinator/coordinator.js'
import { recover } from '../../../src/coordinator/recover.js'
import type { Migration } from '../../../src/control/migration.js'
import { isCutoverError } from '../../../src/errors.js'
import { otherSide } from '../../../src/phase/phases.js'
import type { Side } from '../../../src/phase/phases.js'
import { seededRandom } from '../../support/seeded-random.js'
import { startProxy } from '../../support/proxy.js'
import type { Proxy } from '../../support/proxy.js'
import { migrationOver, protocolFixture } from '../protocol/fixture.js'
import type { ProtocolFixture } from '../protocol/fixture.js'

const SEED = Number(process.env['LOST_ANSWER_SEED'] ?? Date.now() % 1_000_000)
const ROUNDS = 14

let f: ProtocolFixture
let proxies: Record<Side, Proxy>
let m: Migration

beforeEach(async () => {
  f = await protocolFixture({ schema: 'create table public.ledger (id int primary key)' })
  await ensureStandingTriggers(f.m, 'new', performance.now() + 5_000)
  proxies = {
    old: await startProxy(Number(new URL(f.urls.old).port)),
    new: await startProxy(Number(new URL(f.urls.new).port)),
  }
  m = migrationOver(f.m.name, {
    old: proxies.old.url(f.urls.old),
    new: proxies.new.url(f.urls.new),
  })
})
afterEach(async () => {
  await Promise.all([m.control.old.close(), m.control.new.close()])
  await Promise.all([proxies.old.close(), proxies.new.close()])
  await f.drop()
})

const status = async (side: Side): Promise<string | undefined> =>
  (await readSide(f.m.control[side], f.m.name))?.status

/** Keeps the answer of a step from coming, and cuts the line once the server has done it. */
function loseAnswer(step: string, side: Side, done: string): Promise<void> {
  return new Promise((resolve, reject) => {
    m.events.on('step', (event) => {
      if (event.step !== step || event.state !== 'started') return
      proxies[side].stall('to-client')
      const cut = async (): Promise<void> => {
        while ((await status(side)) !== done) await delay(1)
        proxies[side].cut()
        await proxies[side].resume()
      }
      cut().then(resolve, reject)
    })
  })
}

it('the fence stands, but its answer is lost: it is aborted, and the writer stays', async () => {
  const lost = loseAnswer('fence', 'old', 'fenced')
  await expect(changeWriter(m, 'new', 'live')).rejects.toMatchObject({ code: 'ERR_FENCE' })
  await lost
  expect(await status('old')).toBe('writer')
  await f.m.control.old.run('insert into public.ledger values (1)')
})

it('the answer of a fence under way is lost, and the line of the way out with it: nothing is left standing', async () => {
  const { old } = f.m.control
  const lost = (): Error => Object.assign(new Error('write EPIPE'), { code: 'EPIPE' })
  const waiting = async (): Promise<number> =>
    (
      await old.run(
        `select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
      )
    ).length
  const blocker = old.fork()
  let fence: Promise<unknown> = Promise.resolve()
  let aborts = 0
  const flaky = (inner: ControlConnection): ControlConnection => ({
    ...inner,
    fork: (bounds) => flaky(inner.fork(bounds)),
    run: async (text, values) => {
      if (text.includes('share row exclusive mode')) {
        await blocker.run('begin')
        await blocker.run('lock table public.ledger in row exclusive mode')
        fence = inner.run(text, values).catch(() => {})
        while ((await waiting()) === 0) await delay(1)
        throw lost()
      }
      if (text.includes(`status = 'writer', epoch`) && ++aborts === 1) throw lost()
      return inner.run(text, values)
    },
  })
  const said = changeWriter({ ...f.m, control: { ...f.m.control, old: flaky(old) } }, 'new', 'live').catch(
    (error: unknown) => error,
  )
  // The way out waits for the fence, or has believed the row as it was before it.
  await Promise.race([said, aborted()])
  await blocker.run('rollback')
  expect(await said).toMatchObject({ code: 'ERR_FENCE' })
  await fence
  expect(await status('old')).toBe('writer')
  await old.run('insert into public.ledger values (1)')
  await blocker.close()

  async function aborted(): Promise<void> {
    while ((await waiting()) < 2) await delay(1)
  }
})

it('it is decided, but the answer is lost: the row says so, and the other side is opened', async () => {
  const lost = loseAnswer('decide', 'old', 'moved')
  expect((await changeWriter(m, 'new', 'live')).outcome).toBe('done')
  await lost
  expect(await status('new')).toBe('writer')
  await f.m.control.new.run('insert into public.ledger values (1)')
})

it('it is opened, but the answer is lost: that is read from the row', async () => {
  const lost = loseAnswer('open', 'new', 'writer')
  expect((await changeWriter(m, 'new', 'live')).outcome).toBe('done')
  await lost
  expect(await readSide(f.m.control.new, f.m.name)).toMatchObject({ status: 'writer', epoch: 1 })
})

it('the side being left answers no more after its fence was sent: in doubt, and recover ends it', async () => {
  const quick = { ...m, timings: { ...m.timings, holdTimeoutMillis: 1_000, fenceTimeoutMillis: 600 } }
  const cut = new Promise<void>((resolve) => {
    m.events.on('step', ({ step, state }) => {
      if (step !== 'catch-up' || state !== 'started') return
      void proxies.old.refuse().then(resolve)
      proxies.old.cut()
    })
  })
  await expect(changeWriter(quick, 'new', 'live')).rejects.toMatchObject({ code: 'ERR_IN_DOUBT' })
  await cut
  expect(await status('old')).toBe('fenced')
  const report = await recover(f.m)
  expect(report).toMatchObject({ writer: 'old', open: [] })
  expect(report.done).toHaveLength(1)
  expect((await recover(f.m)).done).toEqual([])
  await f.m.control.old.run('insert into public.ledger values (1)')
})

it(`lines cut at random: what the coordinator says is what the rows say (seed ${SEED})`, async () => {
  const random = seededRandom(SEED)
  const outcomes: string[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const from: Side = (await status('old')) === 'writer' ? 'old' : 'new'
    const to = otherSide(from)
    const wait = random() * 25
    const side: Side = random() < 0.6 ? from : to
    const cut = new Promise<void>((resolve) => {
      m.events.once('step', () => {
        m.events.on('step', ({ step, state }) => {
          if (step === 'hold' && state === 'started')
            void delay(wait).then(() => resolve(proxies[side].cut()))
        })
      })
    })
    const said = await changeWriter(m, to, to === 'new' ? 'live' : 'shadow').then(
      ({ outcome }) => outcome as string,
      (error: unknown) => (isCutoverError(error) ? error.code : `unexpected: ${String(error)}`),
    )
    await cut
    m.events.removeAllListeners()
    outcomes.push(said)
    expect(said).not.toContain('unexpected')
    const before = [await status(from), await status(to)]
    if (said === 'done') expect(before).toEqual(['moved', 'writer'])
    else if (said !== 'ERR_IN_DOUBT' && said !== 'ERR_OPEN_PENDING') expect(before[0]).toBe('writer')
    const { writer, open } = await recover(f.m)
    expect(open).toEqual([])
    expect([await status('old'), await status('new')].filter((one) => one === 'writer')).toHaveLength(1)
    await f.m.control[writer ?? 'old'].run('insert into public.ledger values ($1)', [round])
    await expect(
      f.m.control[otherSide(writer ?? 'old')].run('insert into public.ledger values (-1)'),
    ).rejects.toMatchObject({ code: '25006' })
  }
  console.log(`seed ${SEED}: ${outcomes.join(', ')}`)
})
