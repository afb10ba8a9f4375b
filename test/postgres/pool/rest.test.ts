// At rest the facade is one field and one call: no promise, no listener and no parser of its own.
import { createHook } from 'node:async_hooks'
import pg from 'pg'
import { expect, it } from 'vitest'
import { CutoverEvents } from '../../../src/events.js'
import { cutoverPool } from '../../../src/pool/cutover-pool.js'
import { innerPool } from '../../../src/pool/pg-internals.js'
import { PoolCore } from '../../../src/pool/pool-core.js'
import { atRest, flip, sideOf, sides } from './fixture.js'
import { KnownTexts } from '../../../src/reads/known-texts.js'

const { drive, urls } = await sides()

const HOT = ['acquire', 'release', 'remove'] as const

const listeners = (pool: pg.Pool): number[] => HOT.map((name) => pool.listenerCount(name as 'acquire'))

it('`query` and `connect` give what the inner pool gives, itself', async () => {
  const { pool, inner } = drive()
  const query = Promise.resolve('of query')
  const connect = Promise.resolve('of connect')
  const asked: unknown[][] = []
  Object.assign(inner.old, {
    query: (...args: unknown[]) => (asked.push(args), query),
    connect: (...args: unknown[]) => (asked.push(args), connect),
  })
  const values = [1]
  const callback = (): void => {}
  expect(pool.query('text', values)).toBe(query)
  pool.query('text', values, callback)
  expect(pool.connect()).toBe(connect)
  expect(asked).toEqual([['text', values, undefined], ['text', values, callback], [undefined]])
  expect(asked[0]?.[1]).toBe(values)
})

it('nothing listens to what happens at every query, before a cutover and after one', async () => {
  const driven = drive()
  const { core, pool, inner } = driven
  await sideOf(pool)
  expect([listeners(inner.old), listeners(inner.new)]).toEqual([
    [0, 0, 0],
    [0, 0, 0],
  ])
  await flip(core, 'new')
  await atRest(driven)
  await sideOf(pool)
  expect([listeners(inner.old), listeners(inner.new)]).toEqual([
    [0, 0, 0],
    [0, 0, 0],
  ])
  const {
    _clients: [client],
  } = inner.new as unknown as { _clients: [{ connection: NodeJS.EventEmitter }] }
  expect(client.connection.listenerCount('message')).toBe(0)
})

it.each([
  ['pool.query', (pool: pg.Pool) => pool.query('select $1::int', [1])],
  ['connect and release', (pool: pg.Pool) => pool.connect().then((client) => client.release())],
])('as many promises as pg.Pool itself makes, before a cutover and after one: %s', async (_, call) => {
  let made = 0
  const hook = createHook({
    init: (_id, type) => {
      if (type === 'PROMISE') made++
    },
  })
  const count = async (pool: pg.Pool): Promise<number> => {
    await call(pool)
    let least = Infinity
    // The runner makes some of its own now and then.
    for (let round = 0; round < 5; round++) {
      made = 0
      hook.enable()
      for (let nr = 0; nr < 50; nr++) await call(pool)
      hook.disable()
      least = Math.min(least, made)
    }
    return least
  }
  const plain = new pg.Pool({ connectionString: urls.old })
  const driven = drive()
  const usual = await count(plain)
  await plain.end()
  expect(usual).toBeGreaterThanOrEqual(50)
  expect(await count(driven.pool)).toBe(usual)
  await flip(driven.core, 'new')
  await atRest(driven)
  expect(await count(driven.pool)).toBe(usual)
})

it('no statement is parsed', async () => {
  const parsed: string[] = []
  const made = (url: string) => ({
    inner: innerPool(new pg.Pool({ connectionString: url })),
    handedIn: false,
  })
  const core = new PoolCore({
    name: 'orders',
    pools: { old: made(urls.old), new: made(urls.new) },
    events: new CutoverEvents(),
    texts: {
      load: () => new KnownTexts().load(),
      isOnePlainStatement: (text) => parsed.push(text) > 0,
      isRead: (text) => parsed.push(text) === 0,
    },
    onFence: () => undefined,
  })
  core.release('old')
  const pool = cutoverPool(core)
  await sideOf(pool)
  expect(parsed).toEqual([])
  await core.arm()
  await sideOf(pool)
  expect(parsed).toHaveLength(1)
  await core.end(true)
})
