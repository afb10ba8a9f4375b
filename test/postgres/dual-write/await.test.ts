// `await: 'applied'` on real servers, in the process that leads and in another one: what was resolved is on the other side.
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import pg from 'pg'
import {
  createCutover,
  memorySource,
  type Cutover,
  type CutoverOptions,
  type DualWriteOptions,
} from '../../../src/index.js'
import { freshDatabases, type FreshDatabases, type Side } from '../../support/databases.js'
import { reasonOf } from '../pool/fixture.js'

const SCHEMA = `create table entry (key text primary key, note text)`
const WRITE = `insert into entry (key) values ($1) returning key`

let databases: FreshDatabases
let observers: Record<Side, pg.Client>
let leader: Cutover
let other: Cutover
let made: Cutover[] = []

beforeAll(async () => {
  databases = await freshDatabases()
  observers = { old: new pg.Client(databases.old), new: new pg.Client(databases.new) }
  for (const side of ['old', 'new'] as const) {
    await observers[side].connect()
    await observers[side].query(SCHEMA)
  }
  leader = await join({ await: 'applied', awaitTimeoutMillis: 10_000 })
  await leader.advance('mirror')
  await onBoth(leader.pool, 'first')
  other = await join({ await: 'applied', awaitTimeoutMillis: 10_000 })
})
afterAll(async () => {
  for (const cutover of [...made, other, leader]) await cutover.end()
  for (const side of ['old', 'new'] as const) await observers[side].end()
  await databases.drop()
})
afterEach(async () => {
  for (const cutover of made.splice(0)) if (cutover !== leader && cutover !== other) await cutover.end()
})

/** One process of the fleet. */
async function join(dualWrite: DualWriteOptions, more: Partial<CutoverOptions> = {}): Promise<Cutover> {
  const cutover = createCutover({
    name: databases.name,
    old: { connectionString: databases.old, max: 4 },
    new: { connectionString: databases.new, max: 4 },
    source: memorySource('old'),
    control: true,
    mirror: 'dual-write',
    dualWrite,
    ...more,
  })
  made.push(cutover)
  await cutover.ready()
  return cutover
}

async function has(side: Side, key: string): Promise<boolean> {
  return (await observers[side].query('select from entry where key = $1', [key])).rowCount === 1
}

/** Writes, and sees at once that both sides have it. */
async function onBoth(queryable: Pick<pg.Pool, 'query'>, key: string): Promise<void> {
  await queryable.query(WRITE, [key])
  expect([key, await has('old', key), await has('new', key)]).toEqual([key, true, true])
}

const isFence = (error: unknown): boolean =>
  error instanceof Error && error.message.startsWith('pg-cutover fence')

let keys = 0
const nextKey = (): string => `key ${keys++}`

describe.each([
  ['the process that leads', () => leader],
  ['another process', () => other],
])('in %s', (_, of) => {
  it('a query resolves when the other side has it', async () => {
    for (let at = 0; at < 5; at++) await onBoth(of().pool, nextKey())
  })

  it('50 callers at once all find what they wrote', async () => {
    await Promise.all(
      Array.from({ length: 50 }, async () => {
        const key = nextKey()
        await of().pool.query(WRITE, [key])
        expect(await has('new', key)).toBe(true)
      }),
    )
  })

  it('the end of a transaction resolves when the other side has all of it', async () => {
    const [one, two] = [nextKey(), nextKey()]
    const client = await of().pool.connect()
    await client.query('begin')
    await client.query(WRITE, [one])
    await client.query(WRITE, [two])
    await client.query('commit')
    expect([await has('new', one), await has('new', two)]).toEqual([true, true])
    client.release()
  })

  it('a function that writes is waited for, whatever its call looks like', async () => {
    const key = nextKey()
    await observers.old.query(
      `create or replace function put(text) returns text language sql as 'insert into public.entry (key) values ($1) returning key'`,
    )
    await of().pool.query('select put($1)', [key])
    expect(await has('new', key)).toBe(true)
  })
})

it('a pin waits where the pool does not', async () => {
  const cutover = await join({})
  const key = nextKey()
  const result = await cutover.pin({ await: 'applied' }, (side) => {
    expect(side).toBe('old')
    return cutover.pool.query(WRITE, [key])
  })
  expect(result.rows).toEqual([{ key }])
  expect(await has('new', key)).toBe(true)
})

it('where the other side is too slow the work is told to be done, and is there later', async () => {
  const cutover = await join({ await: 'applied', awaitTimeoutMillis: 150 })
  const key = nextKey()
  await observers.new.query('begin')
  await observers.new.query('lock table entry in access exclusive mode')
  const all = await Promise.all([
    reasonOf(cutover.pool.query(WRITE, [key])),
    reasonOf(cutover.pin({ await: 'applied' }, () => cutover.pool.query(WRITE, [nextKey()]))),
  ])
  for (const error of all)
    expect(error).toMatchObject({
      code: 'ERR_NOT_APPLIED',
      message: expect.stringMatching(/committed on the writer.*150 ms.*do not repeat/),
    })
  expect((all[0] as { result?: pg.QueryResult }).result?.rows).toEqual([{ key }])
  expect(await has('old', key)).toBe(true)
  await observers.new.query('commit')
  await leader.pool.query(WRITE, [nextKey()])
  expect(await has('new', key)).toBe(true)
})

it('through a change of writer and back every write that resolved is on both sides, and none fails', async () => {
  const failed: unknown[] = []
  const enough = new AbortController()
  const writing = [leader, other].flatMap((cutover) =>
    Array.from({ length: 2 }, async () => {
      while (!enough.signal.aborted) {
        const key = nextKey()
        try {
          await cutover.pool.query(WRITE, [key])
          for (const side of ['old', 'new'] as const)
            if (!(await has(side, key))) failed.push(`${key} is not on the ${side} side`)
          // A steady load, and a processor left for everybody else.
          await cutover.pool.query('select pg_sleep(0.02)')
        } catch (error) {
          // A process that does not move the writer itself meets the fence, and its callers try again.
          if (cutover === leader || !isFence(error)) failed.push(error)
        }
      }
    }),
  )
  await leader.advance('shadow')
  await leader.advance('live')
  await onBoth(leader.pool, nextKey())
  await leader.rollback()
  await onBoth(leader.pool, nextKey())
  enough.abort()
  await Promise.all(writing)
  expect(failed).toEqual([])
  const { rows: ours } = await observers.old.query('select key from entry order by key')
  const { rows: theirs } = await observers.new.query('select key from entry order by key')
  expect(theirs).toEqual(ours)
})

it('nothing waits any more when the mirror has ended, and what waited goes on', async () => {
  const holding = await leader.pool.connect()
  expect(Object.hasOwn(holding, 'query')).toBe(true)
  await leader.advance('mirror')
  await leader.advance('old')
  expect(Object.hasOwn(holding, 'query')).toBe(false)
  holding.release()
  const key = nextKey()
  await leader.pool.query(WRITE, [key])
  await leader.pin({ await: 'applied' }, () => leader.pool.query(WRITE, [nextKey()]))
  expect(await has('new', key)).toBe(false)
})
