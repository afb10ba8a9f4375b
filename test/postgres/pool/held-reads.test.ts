// Reads while everything else is held: where they are answered, what is refused, and when they wait as well.
import { AsyncLocalStorage } from 'node:async_hooks'
import pg from 'pg'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import type { EventMap } from '../../../src/events.js'
import type { Side } from '../../../src/phase/phases.js'
import type { PoolCoreOptions } from '../../../src/pool/pool-core-options.js'
import { KnownTexts } from '../../../src/reads/known-texts.js'
import {
  atRest,
  eventWhere,
  lease,
  reasonOf,
  sideOf,
  sides,
  stateOf,
  turn,
  WHERE_AM_I,
  WRITE,
  type Driven,
} from './fixture.js'

const { drive, keys, observe, terminate, until, urls } = await sides({ heldReadsMax: 4 })

for (const side of ['old', 'new'] as const)
  await observe(
    side,
    `create table slow (side text not null); insert into slow values ('${side}');
     create schema app; create table app.marker (side text not null); insert into app.marker values ('app on ${side}')`,
  )
const locker = new pg.Client({ connectionString: urls.old, application_name: 'locker' })
await locker.connect()
// After a failure only, which is not to lock the next test out.
afterEach(() => locker.query('rollback'))
afterAll(() => locker.end())

const SLOW = 'select side from slow'
const READS = `application_name = 'pg-cutover reads' and datname = current_database()`
const WHO = `select side, current_setting('application_name') as name, current_setting('default_transaction_read_only') as ro
  from marker`

/** Nothing can read the table of {@link SLOW} until the function that this gives is called. */
async function lockSlow(): Promise<() => Promise<unknown>> {
  await locker.query('begin; lock table slow in access exclusive mode')
  return () => locker.query('commit')
}

const waitingForLock = (count: number): Promise<void> =>
  until(
    'old',
    `(select count(*) = ${count} from pg_stat_activity where ${READS} and wait_event_type = 'Lock')`,
  )

const noneLeft = (): Promise<void> => until('old', `not exists (select from pg_stat_activity where ${READS})`)

const known = new KnownTexts()
await known.load()

/** Knows texts that begin with this comment for reads, whatever they do. */
const credulous: PoolCoreOptions['texts'] = {
  load: () => known.load(),
  isOnePlainStatement: (text) => known.isOnePlainStatement(text),
  isRead: (text) => text.startsWith('/* a read */'),
}
const MISTAKEN = `/* a read */ ${WRITE}`

async function held(config: pg.PoolConfig = {}, options: Parameters<typeof drive>[1] = {}): Promise<Driven> {
  const driven = drive(config, options)
  await driven.core.arm()
  driven.core.hold(lease())
  return driven
}

function warningsOf({ events }: Driven): string[] {
  const codes: string[] = []
  events.on('warning', ({ code }: EventMap['warning'][0]) => codes.push(code))
  return codes
}

it('are answered by the side in use while a transaction keeps the drain waiting, and after it, and writes are not', async () => {
  const driven = drive({ max: 1 })
  const { core, pool, inner } = driven
  await core.arm()
  const client = await pool.connect()
  await client.query('begin')
  core.hold(lease())
  const drained = core.drain(5_000)
  const write = pool.query(WRITE, ['key'])
  const connect = pool.connect()
  const { rows } = await pool.query<{ side: Side; name: string; ro: string }>(WHO)
  expect(rows).toEqual([{ side: 'old', name: 'pg-cutover reads', ro: 'on' }])
  expect([core.flows(WHO), core.flows(WRITE), core.flows('begin')]).toEqual([true, false, false])
  expect(await stateOf(write)).toBe('pending')
  // Nobody counts what is ours, and the coordinator has nobody of it sent away.
  expect([inner.old.totalCount, pool.totalCount, pool.waitingCount]).toEqual([1, 2, 2])
  const ours = await observe<{ pid: number }>('old', `select pid from pg_stat_activity where ${READS}`)
  expect(ours.map(({ pid }) => core.backends('old').includes(pid))).toEqual([false])
  await client.query('commit')
  client.release()
  await drained
  expect(await sideOf(pool)).toBe('old')
  expect(core.release('new').held).toBe(2)
  expect(core.flows(WHO)).toBe(false)
  expect((await write).rows).toEqual([{ side: 'new' }])
  ;(await connect).release()
  expect(core.counters).toMatchObject({ held: 2, heldReads: 2, fences: 0 })
  await atRest(driven)
  expect(await sideOf(pool)).toBe('new')
  await noneLeft()
})

it('counts a call once that is made by whoever hears of the hold', async () => {
  const { core, pool, events } = drive()
  let asked: Promise<unknown> | undefined
  events.on('route', ({ route }) => {
    if (route === 'held') asked = pool.query('insert into asked values (1)').catch(() => {})
  })
  core.hold(lease())
  expect(core.counters.held).toBe(1)
  core.release('old')
  await asked
})

it.each<[string, (pool: pg.Pool) => Promise<unknown>]>([
  ['a text', (pool) => pool.query(WHERE_AM_I)],
  ['with values', (pool) => pool.query(`${WHERE_AM_I} where side <> $1`, ['neither'])],
  ['a config', (pool) => pool.query({ text: `${WHERE_AM_I} where side <> $1`, values: ['neither'] })],
  ['a named one', (pool) => pool.query({ name: 'where', text: WHERE_AM_I })],
  [
    'with a callback',
    (pool) =>
      new Promise((resolve, reject) => {
        pool.query(`${WHERE_AM_I} where side <> $1`, ['neither'], (error, result) =>
          error ? reject(error) : resolve(result),
        )
      }),
  ],
  [
    'with a callback and no values',
    (pool) =>
      new Promise((resolve, reject) => {
        pool.query(WHERE_AM_I, (error: Error, result: unknown) => (error ? reject(error) : resolve(result)))
      }),
  ],
])('in whichever form they are asked: %s', async (_, ask) => {
  const { pool } = await held()
  expect(await ask(pool)).toMatchObject({ command: 'SELECT', rows: [{ side: 'old' }] })
})

it('keep their async context, array mode and errors', async () => {
  const context = new AsyncLocalStorage<string>()
  const seen: (string | undefined)[] = []
  class Traced extends pg.Client {}
  Object.assign(Traced.prototype, {
    query(this: pg.Client, ...given: unknown[]): unknown {
      if (given[0] === WHERE_AM_I) seen.push(context.getStore())
      return Reflect.apply(pg.Client.prototype.query, this, given)
    },
  })
  const { pool } = await held({ Client: Traced }, { heldReadsMax: 1 })
  await Promise.all(['1', '2', '3'].map((nr) => context.run(nr, () => pool.query(WHERE_AM_I))))
  expect(seen).toEqual(['1', '2', '3'])
  expect((await pool.query({ text: WHERE_AM_I, rowMode: 'array' })).rows).toEqual([['old']])
  expect(await reasonOf(pool.query('select 1 / (length(side) - 3) from marker'))).toMatchObject({
    code: '22012',
    stack: expect.stringContaining('held-reads.test.ts'),
  })
})

describe('what is no read', () => {
  it('and was taken for one is refused by the server, waits in its place, and runs once on the side that comes', async () => {
    const driven = await held({ max: 1 }, { texts: credulous })
    const { core, pool } = driven
    const before = pool.query(WRITE, ['1'])
    const context = new AsyncLocalStorage<string>()
    let seen: string | undefined
    const mistaken = context.run('mine', async () => {
      const { rows } = await pool.query<{ side: Side }>(MISTAKEN, ['2'])
      seen = context.getStore()
      return rows
    })
    const after = pool.query(WRITE, ['3'])
    await eventually(() => core.line.length === 3)
    // The text is known by now.
    expect(core.flows(MISTAKEN)).toBe(false)
    const again = pool.query(MISTAKEN, ['4'])
    expect([core.line.length, core.counters.heldReads]).toEqual([4, 1])
    core.release('new')
    expect(await mistaken).toEqual([{ side: 'new' }])
    await Promise.all([before, after, again])
    expect([seen, await keys('old'), await keys('new')]).toEqual(['mine', [], ['1', '2', '3', '4']])
  })

  it('does so also where the hold is over by the time that it is refused', async () => {
    await observe(
      'old',
      `create or replace function slow_write(key text) returns text language sql as
         $$ select side from slow; insert into entry (key) values (key) returning key $$`,
    )
    await observe(
      'new',
      `create or replace function slow_write(key text) returns text language sql as
         $$ insert into entry (key) values (key) returning key $$`,
    )
    const unlock = await lockSlow()
    const driven = await held({}, { texts: credulous })
    const write = driven.pool.query(`/* a read */ select slow_write('key')`)
    await waitingForLock(1)
    driven.core.release('new')
    await atRest(driven)
    await unlock()
    await write
    expect([await keys('old'), await keys('new')]).toEqual([[], ['key']])
  })

  it('is refused also where the URL says that sessions may write', async () => {
    const old = new URL(urls.old)
    old.searchParams.set('application_name', 'mine')
    old.searchParams.set('options', '-c default_transaction_read_only=off')
    const { core, pool } = await held({}, { texts: credulous, old: { connectionString: old.href } })
    const { rows } = await pool.query(`/* a read */ ${WHO}`)
    expect(rows).toEqual([{ side: 'old', name: 'pg-cutover reads', ro: 'on' }])
    const write = pool.query(MISTAKEN, ['key'])
    await eventually(() => core.line.length === 1)
    core.release('old')
    await write
    expect(await keys('old')).toEqual(['key'])
  })
})

describe('from stop-reads on', () => {
  it('wait in the order of their calls; one that was sent gets its answer, after the flip and whatever is closed then', async () => {
    const driven = await held({ max: 1 }, { heldReadsMax: 1 })
    const { core, pool } = driven
    const unlock = await lockSlow()
    const order: string[] = []
    const noted = async (name: string, work: Promise<pg.QueryResult<{ side: Side }>>): Promise<void> => {
      const { rows } = await work
      order.push(`${name} ${rows[0]?.side}`)
    }
    const slow = noted('slow', pool.query(SLOW))
    await waitingForLock(1)
    const all = [
      noted('1', pool.query(WRITE, ['1'])),
      noted('2', pool.query(WHERE_AM_I)),
      noted('3', pool.query(WRITE, ['3'])),
      noted('4', pool.query(WHERE_AM_I)),
    ]
    expect([core.line.length, pool.waitingCount]).toEqual([2, 4])
    await core.drain(5_000)
    await core.stopReads()
    expect([core.line.length, core.flows(WHERE_AM_I)]).toEqual([4, false])
    all.push(noted('5', pool.query(WHERE_AM_I)))
    expect(core.line.length).toBe(5)
    expect(core.release('new').held).toBe(5)
    await Promise.all(all)
    await core.sweep('old')
    for (const pid of core.backends('old')) await terminate('old', pid)
    expect(order).toEqual(['1 new', '2 new', '3 new', '4 new', '5 new'])
    await unlock()
    await slow
    expect(order.at(-1)).toBe('slow old')
    await noneLeft()
  })

  it('do so too where nobody asks for it before the release', async () => {
    const { core, pool } = await held({}, { heldReadsMax: 1 })
    const unlock = await lockSlow()
    const slow = pool.query(SLOW)
    await waitingForLock(1)
    const behind = sideOf(pool)
    expect(core.release('old')).toMatchObject({ held: 1 })
    expect(await behind).toBe('old')
    await unlock()
    expect((await slow).rows).toEqual([{ side: 'old' }])
  })

  it('one whose connection is still being opened waits as well', async () => {
    const { core, pool } = await held()
    await Promise.all([sideOf(pool), sideOf(pool)])
    // One connection is open; the second call asks for another one.
    const both = [sideOf(pool), sideOf(pool), sideOf(pool)]
    await core.stopReads()
    expect(core.line.length).toBe(3)
    core.release('new')
    expect(await Promise.all(both)).toEqual(['new', 'new', 'new'])
  })
})

describe('wait like everything else', () => {
  it.each([
    ['where the option says so', { heldReadsMax: 0 }, 'flow'],
    ['where the side may have lost the last word', {}, 'wait'],
  ] as const)('%s', async (_, options, reads) => {
    const { core, pool } = drive({}, options)
    await core.arm()
    core.hold(lease(60_000, undefined, reads))
    const read = sideOf(pool)
    expect([core.flows(WHERE_AM_I), core.line.length]).toEqual([false, 1])
    core.release('new')
    expect(await read).toBe('new')
  })

  it('from when such a hold follows another one, or the end of a hold cannot be resolved', async () => {
    const { core, pool } = await held()
    expect(await sideOf(pool)).toBe('old')
    core.hold(lease(60_000, undefined, 'wait'))
    core.hold(lease())
    const read = sideOf(pool)
    expect(core.line.length).toBe(1)
    core.release('old')
    expect(await read).toBe('old')
    await core.arm()
    core.hold(lease(1))
    const failed = await reasonOf(pool.query(WRITE, ['key']))
    expect([failed.code, core.flows(WHERE_AM_I)]).toEqual(['57P03', false])
  })

  it('where the server has no connection left for them, which a warning says', async () => {
    await withRole(1, async (old) => {
      const driven = drive({ max: 1 }, { old })
      const warnings = warningsOf(driven)
      const { core, pool } = driven
      expect(await sideOf(pool)).toBe('old')
      await core.arm()
      core.hold(lease())
      const reads = [sideOf(pool), sideOf(pool)]
      await core.drain(5_000)
      expect([core.line.length, warnings]).toEqual([2, ['HELD_READS']])
      core.release('old')
      expect(await Promise.all(reads)).toEqual(['old', 'old'])
      // It is tried again at the next move.
      await core.arm()
      expect(warnings).toEqual(['HELD_READS', 'HELD_READS'])
    })
  })

  it('where a pooler stands before the server, which may give the session to anybody', async () => {
    class Pooled extends pg.Client {}
    Object.defineProperty(Pooled.prototype, 'processID', { get: () => 1, set: () => {} })
    const driven = drive({}, { old: { Client: Pooled } })
    const warned = eventWhere(driven.events, 'warning', ({ code }) => code === 'HELD_READS')
    await driven.core.arm()
    expect((await warned).message).toContain('a pooler')
    driven.core.hold(lease())
    expect(driven.core.flows(WHERE_AM_I)).toBe(false)
    const read = sideOf(driven.pool)
    driven.core.release('old')
    expect(await read).toBe('old')
  })
})

/** A role of which the server takes so many connections. */
async function withRole(limit: number, work: (config: pg.PoolConfig) => Promise<void>): Promise<void> {
  const url = new URL(urls.old)
  const role = `limited_${url.pathname.slice(1)}`
  await observe('old', `create role ${role} login password 'secret' connection limit ${limit}`)
  await observe('old', `grant select on marker to ${role}`)
  try {
    url.username = role
    url.password = 'secret'
    await work({ connectionString: url.href })
  } finally {
    await observe('old', `drop owned by ${role}`)
    await observe('old', `drop role ${role}`)
  }
}

describe('on few connections', () => {
  it('share what the server gives', async () => {
    await withRole(2, async (old) => {
      const driven = drive({}, { old })
      const warnings = warningsOf(driven)
      const { core, pool } = driven
      expect(await sideOf(pool)).toBe('old')
      await core.arm()
      core.hold(lease())
      expect(await Promise.all([1, 2, 3, 4].map(() => sideOf(pool)))).toEqual(['old', 'old', 'old', 'old'])
      expect([warnings, core.line.length]).toEqual([[], 0])
    })
  })

  it('are answered in the order of their calls, thousands of them', async () => {
    const { core, pool } = await held({}, { heldReadsMax: 1 })
    const answered: number[] = []
    const all = Array.from({ length: 2_000 }, async (_, nr) => {
      await pool.query(WHERE_AM_I)
      answered.push(nr)
    })
    expect([core.line.length, core.waiting]).toEqual([0, 1_999])
    await all[999]
    await core.stopReads()
    const { length } = answered
    const write = pool.query(WRITE, ['key'])
    expect(core.line.length).toBe(2_000 - length)
    core.release('new')
    await write
    await Promise.all(all)
    expect(length).toBeLessThan(1_010)
    expect(answered.slice(0, length)).toEqual(answered.slice(0, length).map((_, nr) => nr))
  })

  it('get another one when the server has closed it, and fail with it as anybody would', async () => {
    const { core, pool } = await held({}, { heldReadsMax: 1 })
    const mine = async (): Promise<number> => {
      const [row] = await observe<{ pid: number }>('old', `select pid from pg_stat_activity where ${READS}`)
      return row?.pid ?? 0
    }
    const first = await mine()
    await terminate('old', first)
    await turn()
    expect(await sideOf(pool)).toBe('old')
    expect(await mine()).not.toBe(first)
    const unlock = await lockSlow()
    const slow = reasonOf(pool.query(SLOW))
    await waitingForLock(1)
    await observe('old', 'select pg_terminate_backend($1)', [await mine()])
    expect(await slow).toMatchObject({ code: '57P01' })
    await unlock()
    expect(await sideOf(pool)).toBe('old')
    expect(core.line.length).toBe(0)
  })
})

describe('see the sessions that the application makes for itself', () => {
  const url = new URL(urls.old)
  const parts = {
    connectionString: undefined,
    host: url.hostname,
    port: Number(url.port),
    user: url.username,
    password: url.password,
    database: url.pathname.slice(1),
  }
  const SEARCH_PATH = 'set search_path to app'
  // It is waited for, which pg's types do not say.
  const onConnect = ((client) => client.query(SEARCH_PATH)) as (client: pg.ClientBase) => unknown
  it.each<[string, pg.PoolConfig, boolean, (driven: Driven) => unknown]>([
    [
      'a listener of a view',
      {},
      false,
      ({ pool }) => pool.on('connect', (client) => void client.query(SEARCH_PATH)),
    ],
    [
      'a listener of the pool that was handed in, which has a password of its own',
      parts,
      true,
      ({ inner }) => inner.old.on('connect', (client) => void client.query(SEARCH_PATH)),
    ],
    ['onConnect', { onConnect }, false, () => undefined],
    [
      'the options of the URL',
      { connectionString: `${urls.old}?options=-csearch_path%3Dapp` },
      false,
      () => undefined,
    ],
    [
      'verify, which may want to write',
      {
        verify: (client, done) => {
          client.query(`insert into entry (key) values ('verified'); ${SEARCH_PATH}`, done)
        },
      },
      false,
      () => undefined,
    ],
  ])('%s', async (_, old, handedIn, set) => {
    const driven = drive({}, { old, handedIn })
    set(driven)
    const { core, pool } = driven
    await core.arm()
    core.hold(lease())
    expect((await pool.query(WHO)).rows).toEqual([{ side: 'app on old', name: 'pg-cutover reads', ro: 'on' }])
  })
})

it('inside a pin that was under way stay with the rest of it', async () => {
  const { core, pool } = drive()
  await core.arm()
  let go = (): void => {}
  const going = new Promise<void>((resolve) => {
    go = resolve
  })
  const pinned = core.admission.pin(async () => {
    await going
    return (await pool.query<{ name: string }>(WHO)).rows[0]?.name
  })
  core.hold(lease())
  const drained = core.drain(5_000)
  go()
  expect(await pinned).not.toBe('pg-cutover reads')
  await drained
})

describe('in a hold that nothing was armed for', () => {
  it('wait for connections of their own, those that came before too, and then no longer', async () => {
    const driven = drive({ max: 1 })
    const { core, pool } = driven
    core.hold(lease())
    const write = pool.query(WRITE, ['key'])
    const reads = [sideOf(pool), sideOf(pool)]
    expect(await Promise.all(reads)).toEqual(['old', 'old'])
    expect([await stateOf(write), core.line.length, core.state.kind]).toEqual(['pending', 1, 'held'])
    core.release('new')
    await write
  })

  it('that is over before they are open wait for nothing', async () => {
    const { core, pool } = drive()
    core.hold(lease())
    const read = sideOf(pool)
    core.release('new')
    expect(await read).toBe('new')
    await core.end(true)
    await noneLeft()
  })
})

it('that waited for a free client when the hold began go on', async () => {
  const { core, pool } = drive({ max: 1 })
  await core.arm()
  const client = await pool.connect()
  const read = sideOf(pool)
  const write = pool.query(WRITE, ['key'])
  expect(core.line.length).toBe(2)
  core.hold(lease())
  expect(await read).toBe('old')
  client.release()
  core.release('new')
  await write
})

it('that wait when the pool is ended fail with its text, and one under way is answered', async () => {
  const { pool } = await held({}, { heldReadsMax: 1 })
  const unlock = await lockSlow()
  const slow = pool.query(SLOW)
  await waitingForLock(1)
  const behind = reasonOf(pool.query(WHERE_AM_I))
  const ended = pool.end()
  expect((await behind).message).toBe('Cannot use a pool after calling end on the pool')
  await unlock()
  expect((await slow).rows).toEqual([{ side: 'old' }])
  await ended
  await noneLeft()
})

/** Resolves in the first turn in which this is true. */
async function eventually(condition: () => boolean): Promise<void> {
  while (!condition()) await turn()
}
