// The coordinator over the members of a fleet: all hold, all drain, all stop reading, or nothing changes.
import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { readSide } from '../../../src/control/side-row.js'
import { changeChannel, quoteIdent } from '../../../src/control/names.js'
import { lock } from '../../../src/coordinator/coordinator-lock.js'
import { changeWriter } from '../../../src/coordinator/coordinator.js'
import { ensureStandingTriggers } from '../../../src/coordinator/fence-triggers.js'
import { lastAttempt } from '../../../src/coordinator/journal.js'
import { recover } from '../../../src/coordinator/recover.js'
import type { CutoverEvent, StepEvent } from '../../../src/events.js'
import { Barrier } from '../../../src/fleet/barrier.js'
import { call, readCall } from '../../../src/fleet/call-row.js'
import { listMembers } from '../../../src/fleet/roster.js'
import type { Call } from '../../../src/fleet/words.js'
import { otherSide, type Side } from '../../../src/phase/phases.js'
import { protocolFixture, type ProtocolFixture } from '../protocol/fixture.js'
import { obedient, Puppet, type Say } from './puppet.js'

let f: ProtocolFixture
let from: Side
const puppets: Puppet[] = []

beforeAll(async () => {
  f = await protocolFixture({
    schema: 'create table public.item (id int primary key)',
    members: 'barrier',
    timings: { holdTimeoutMillis: 4_000, drainTimeoutMillis: 500 },
  })
  await ensureStandingTriggers(f.m, 'new', performance.now() + 5_000)
})
afterAll(() => f.drop())

beforeEach(async () => {
  const row = await readSide(f.m.control.old, f.m.name)
  from = row?.status === 'writer' ? 'old' : 'new'
})
afterEach(async () => {
  await Promise.all(puppets.splice(0).map((puppet) => puppet.end()))
})

const member = async (
  name: string,
  say: Say = obedient,
  backends: readonly number[] = [],
): Promise<Puppet> => {
  const puppet = new Puppet(f.m, from, name, say, backends)
  puppets.push(puppet)
  return puppet.start()
}

const move = (attempts = 1): Promise<CutoverEvent> => {
  const to = otherSide(from)
  return changeWriter({ ...f.m, attempts }, to, to === 'new' ? 'live' : 'shadow', { preflight: false })
}

const stages = ({ heard }: Puppet): string[] => heard.map(({ stage }) => stage)

// The first of all: later on nobody serves who is not in the roster.
it('waits, the first time, for a process that speaks to the side and is not in the roster yet', async () => {
  const late = new Puppet(f.m, from, 'late')
  puppets.push(late)
  await late.connect()
  const waiting = f.m.control[from].fork({
    session: `listen ${quoteIdent(changeChannel(f.m.name))}`,
    // By then a coordinator that looks at the roster alone would hold.
    onNotification: (_, payload) => {
      if (payload?.startsWith('call arm ')) setTimeout(() => void late.start(), 300)
    },
  })
  await waiting.run('select')
  await expect(move()).resolves.toMatchObject({ outcome: 'done' })
  expect(stages(late).slice(0, 3)).toEqual(['arm', 'hold', 'stop-reads'])
  await waiting.close()
})

it('asks every member for each step in turn, and tells them of the end', async () => {
  const all = [await member('a'), await member('b')]
  const steps: StepEvent[] = []
  const note = (event: StepEvent): void => void steps.push(event)
  f.m.events.on('step', note)
  await expect(move()).resolves.toMatchObject({ outcome: 'done' })
  f.m.events.off('step', note)
  await expect.poll(() => all.map(stages)).toEqual(all.map(() => ['arm', 'hold', 'stop-reads', 'over']))
  for (const { heard } of all) {
    expect(new Set(heard.map(({ attempt }) => attempt)).size).toBe(1)
    expect(heard[0]?.tables).toEqual(['"public"."item"'])
    expect(heard.at(-1)).toMatchObject({ outcome: 'done' })
  }
  const told = steps.filter(({ state, detail }) => state === 'done' && detail === '2 other members')
  expect(told.map(({ step }) => step)).toEqual(['prepare', 'hold', 'drain', 'stop-reads'])
  const noted = await lastAttempt(f.m.control[from].run, f.m.name)
  expect(noted.filter(({ state }) => state === 'done').map(({ step }) => step)).toEqual([
    'prepare',
    'hold',
    'drain',
    'fence',
    'catch-up',
    'stop-reads',
    'decide',
    'open',
    'reverse',
  ])
})

describe('all or none', () => {
  const unwilling = {
    'does not hold': [
      (asked: Call) => (asked.stage === 'hold' ? [] : obedient(asked)),
      'it has come to "armed" only',
    ],
    'is not quiet in time': [
      (asked: Call) => (asked.stage === 'hold' ? ['held'] : obedient(asked)),
      'it has come to "held" only',
    ],
    'says why it cannot': [
      (asked: Call) =>
        asked.stage === 'hold' ? ['held', ['failed', 'one client was at work']] : obedient(asked),
      'one client was at work',
    ],
    'cannot get ready': [
      (asked: Call) => (asked.stage === 'arm' ? [['failed', 'no connection']] : obedient(asked)),
      'no connection',
    ],
  } as const satisfies Record<string, readonly [Say, string]>
  it.each(Object.entries(unwilling))('a member that %s ends the attempt for all', async (_, [say, why]) => {
    const willing = await member('willing')
    await member('unwilling', say)
    await expect(move()).rejects.toMatchObject({
      code: 'ERR_MEMBERS',
      message: expect.stringMatching(
        new RegExp(`"unwilling" \\(pid 1 on here, pg-cutover 1.2.3\\): .*${why}`),
      ),
    })
    await expect.poll(() => stages(willing).at(-1)).toBe('over')
    expect(willing.heard.at(-1)).toMatchObject({ outcome: 'aborted', reason: expect.stringContaining(why) })
    expect(await readSide(f.m.control[from], f.m.name)).toMatchObject({ status: 'writer' })
  })

  it('tries again, and says that it will', async () => {
    let refusals = 2
    const slow = await member('slow', (asked) =>
      asked.stage === 'arm' && refusals-- > 0 ? [['failed', 'not yet']] : obedient(asked),
    )
    await expect(move(3)).resolves.toMatchObject({ outcome: 'done' })
    const overs = (): (string | undefined)[] =>
      slow.heard.filter(({ stage }) => stage === 'over').map(({ outcome }) => outcome)
    await expect.poll(overs).toEqual([undefined, undefined, 'done'])
  })

  it('refuses a fleet with a member of another protocol', async () => {
    await member('stranger')
    await f.m.control[from].run(`update cutover.member set protocol = 99 where name = $1`, [f.m.name])
    await expect(move()).rejects.toMatchObject({
      code: 'ERR_MEMBERS',
      message: expect.stringContaining(`it speaks version 99 of the fleet's protocol and this process 1`),
    })
  })
})

it('leaves out a member that has gone without a word, and says so', async () => {
  const gone = await member('gone')
  await gone.stop()
  const warned = once(f.m.events, 'warning')
  await expect(move()).resolves.toMatchObject({ outcome: 'done' })
  expect(JSON.stringify(await warned)).toContain('MEMBER_SILENT')
})

it('waits out a member that does not stop reading, and sends its clients away before the other side is opened', async () => {
  const client = await f.app(from)
  const [row] = (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows
  await member('asleep', (asked) => (asked.stage === 'stop-reads' ? [] : obedient(asked)), [row?.pid ?? 0])
  const ended = new Promise((resolve) => client.once('end', resolve)).then(async () =>
    readSide(f.m.control[otherSide(from)], f.m.name),
  )
  const fenced = new Promise<number>((resolve) => {
    f.m.events.on('step', ({ step, state }) => {
      if (step === 'fence' && state === 'done') resolve(performance.now())
    })
  })
  const decided = new Promise<number>((resolve) => {
    f.m.events.on('step', ({ step, state }) => {
      if (step === 'decide' && state === 'started') resolve(performance.now())
    })
  })
  await expect(move()).resolves.toMatchObject({ outcome: 'done' })
  expect((await decided) - (await fenced)).toBeGreaterThan(1_990)
  expect((await ended)?.epoch).toBeDefined()
  f.m.events.removeAllListeners('step')
})

describe('with nobody in the roster, it is read again after the fence', () => {
  let barrier: Barrier
  const soon = (): number => performance.now() + 5_000

  beforeEach(async () => {
    barrier = new Barrier(f.m, from)
    const row = await readSide(f.m.control[from], f.m.name)
    await barrier.arm({ epoch: (row?.epoch ?? 0) + 1, target: 'live', tables: [] }, soon())
    await barrier.hold(soon())
  })
  afterEach(async () => {
    await barrier.over('aborted')
    await barrier.close()
  })

  it('and nobody is asked', async () => {
    barrier.fenced()
    await expect(barrier.stopReads(soon(), performance.now())).resolves.toEqual([])
    expect(await readCall(f.m.control[from].run, f.m.name)).toMatchObject({ stage: 'hold' })
  })

  it('and whoever has joined since stops reading', async () => {
    const late = await member('late')
    barrier.fenced()
    await expect(barrier.stopReads(soon(), performance.now())).resolves.toEqual([])
    expect(stages(late)).toContain('stop-reads')
  })

  it('and a roster that cannot be read is no empty one', async () => {
    await barrier.close()
    barrier.fenced()
    await expect(barrier.stopReads(soon(), performance.now())).rejects.toThrow()
  })
})

it('does not ask itself', async () => {
  const self = await member('self', () => [])
  await expect(
    changeWriter(
      { ...f.m, self: self.identity.member },
      otherSide(from),
      from === 'old' ? 'live' : 'shadow',
      {
        preflight: false,
      },
    ),
  ).resolves.toMatchObject({ outcome: 'done' })
})

it('names who has the lock', async () => {
  const held = await lock(f.m, from)
  await expect(move()).rejects.toMatchObject({
    code: 'ERR_BUSY',
    message: expect.stringContaining(`process ${process.pid} `),
  })
  await held.release()
})

it('recover ends the call of a coordinator that is no more, once, and leaves that of a living one', async () => {
  const { run } = f.m.control[from]
  const row = await readSide(f.m.control[from], f.m.name)
  const asked: Call = {
    attempt: 'one',
    epoch: (row?.epoch ?? 0) + 1,
    stage: 'hold',
    coordinator: 'pid 7 on there',
    target: 'live',
    tables: [],
    outcome: undefined,
    reason: undefined,
  }
  await call(run, f.m.name, asked)
  const held = await lock(f.m, from)
  await recover(f.m)
  expect(await readCall(run, f.m.name)).toMatchObject({ stage: 'hold' })
  await held.release()
  await expect
    .poll(async () => (await recover(f.m)).done)
    .toEqual([`epoch ${asked.epoch}: the call of pid 7 on there was ended`])
  expect(await readCall(run, f.m.name)).toMatchObject({ stage: 'over', outcome: 'aborted' })
  expect((await recover(f.m)).done).toEqual([])
})

it('gives the roster as the members have told it', async () => {
  await member('a', obedient, [1, 2])
  expect(await listMembers(f.m.control[from].run, f.m.name)).toMatchObject([
    { member: 'a', host: 'here', pid: 1, version: '1.2.3', side: from, backends: [1, 2], protocol: 1 },
  ])
})
