// A transaction never spans both sides, nothing held is lost or run twice, and the order of calls is kept at the release.
import { pipeline } from 'node:stream/promises'
import { Readable } from 'node:stream'
import { from as copyFrom } from 'pg-copy-streams'
import Cursor from 'pg-cursor'
import QueryStream from 'pg-query-stream'
import type pg from 'pg'
import { describe, expect, it } from 'vitest'
import type { Side } from '../../../src/phase/phases.js'
import { atRest, flip, lease, sideOf, sides, stateOf, WHERE_AM_I, WRITE, type Driven } from './fixture.js'

const { drive, keys, observe, until } = await sides()

type Written = pg.QueryResult<{ side: Side }>

/** Where the statements of one unit of work ran. */
type Work = (pool: pg.Pool, key: string) => Promise<(Side | undefined)[]>

const side = (result: Written): Side | undefined => result.rows[0]?.side

const after = (schedule: (go: () => void) => void): Promise<void> => new Promise(schedule)

async function inTransaction(
  pool: pg.Pool,
  work: (client: pg.PoolClient) => Promise<(Side | undefined)[]>,
): Promise<(Side | undefined)[]> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    const where = await work(client)
    await client.query('commit')
    return where
  } finally {
    client.release()
  }
}

/** Units of work as applications write them. Each writes its key exactly once. */
const works: Record<string, Work> = {
  'pool.query': async (pool, key) => [side(await pool.query(WRITE, [key]))],
  'a transaction': (pool, key) =>
    inTransaction(pool, async (client) => [
      side(await client.query(WHERE_AM_I)),
      side(await client.query(WRITE, [key])),
    ]),
  'pool.query inside a transaction': (pool, key) =>
    inTransaction(pool, async (client) => [
      side(await client.query(WRITE, [key])),
      side(await pool.query(WHERE_AM_I)),
      side(await client.query(WHERE_AM_I)),
    ]),
  'pool.query before the first statement of a client': async (pool, key) => {
    const client = await pool.connect()
    try {
      return [side(await pool.query(WHERE_AM_I)), side(await client.query(WRITE, [key]))]
    } finally {
      client.release()
    }
  },
  'three of pool.query in a row inside a transaction': (pool, key) =>
    inTransaction(pool, async (client) => [
      side(await client.query(WHERE_AM_I)),
      side(await pool.query(WHERE_AM_I)),
      side(await pool.query(WHERE_AM_I)),
      side(await pool.query(WHERE_AM_I)),
      side(await client.query(WRITE, [key])),
    ]),
  'a transaction inside a transaction': (pool, key) =>
    inTransaction(pool, async (client) => [
      side(await client.query(WHERE_AM_I)),
      ...(await inTransaction(pool, async (inner) => [side(await inner.query(WHERE_AM_I))])),
      side(await client.query(WRITE, [key])),
    ]),
  'pool.query inside a transaction, behind setImmediate': (pool, key) =>
    inTransaction(pool, async (client) => {
      const first = side(await client.query(WRITE, [key]))
      await after((go) => setImmediate(go))
      return [first, side(await pool.query(WHERE_AM_I)), side(await client.query(WHERE_AM_I))]
    }),
  'pool.query inside a transaction, behind a timer': (pool, key) =>
    inTransaction(pool, async (client) => {
      const first = side(await client.query(WRITE, [key]))
      await after((go) => setTimeout(go, 1))
      return [first, side(await pool.query(WHERE_AM_I)), side(await client.query(WHERE_AM_I))]
    }),
  'a commit that nobody awaits': async (pool, key) => {
    const client = await pool.connect()
    await client.query('begin')
    const where = [side(await client.query(WRITE, [key])), side(await client.query(WHERE_AM_I))]
    const committed = client.query('commit')
    client.release()
    await committed
    return where
  },
  'COPY FROM STDIN': (pool, key) =>
    inTransaction(pool, async (client) => {
      await pipeline(Readable.from([`${key}\n`]), client.query(copyFrom('copy entry (key) from stdin')))
      return [side(await client.query(WHERE_AM_I))]
    }),
  'a cursor': (pool, key) =>
    inTransaction(pool, async (client) => {
      const cursor = client.query(
        new Cursor<{ side: Side }>(`select side from marker, generate_series(1, 5)`),
      )
      const where: (Side | undefined)[] = []
      for (let rows = await cursor.read(2); rows.length > 0; rows = await cursor.read(2))
        where.push(...rows.map((row) => row.side))
      await cursor.close()
      return [...where, side(await client.query(WRITE, [key]))]
    }),
  'a stream that asks the pool for each row': (pool, key) =>
    inTransaction(pool, async (client) => {
      const stream = client.query(
        new QueryStream('select side from marker, generate_series(1, 6)', [], { batchSize: 2 }),
      )
      const where: (Side | undefined)[] = []
      for await (const row of stream as AsyncIterable<{ side: Side }>)
        where.push(row.side, side(await pool.query(WHERE_AM_I)))
      return [...where, side(await client.query(WRITE, [key]))]
    }),
}

/** Callers that do one unit of work after the other until they are told to stop. */
function load(pool: pg.Pool, callers: number, work: Work | readonly Work[]) {
  const acknowledged: string[] = []
  const split: (Side | undefined)[][] = []
  const failures: unknown[] = []
  const stopped = new AbortController()
  let progress = (): void => {}
  const caller = async (nr: number): Promise<void> => {
    const mine = typeof work === 'function' ? work : work[nr % work.length]
    for (let turn = 0; !stopped.signal.aborted; turn++) {
      const key = `${nr}-${turn}`
      try {
        const where = await mine!(pool, key)
        acknowledged.push(key)
        progress()
        if (new Set(where).size !== 1) split.push(where)
      } catch (error) {
        failures.push(error)
        progress()
        return
      }
    }
  }
  const done = Promise.all(Array.from({ length: callers }, (_, nr) => caller(nr)))
  return {
    acknowledged,
    /** Resolves when so many more were acknowledged, or one has failed. */
    grown: (by: number) =>
      new Promise<void>((resolve) => {
        const wanted = acknowledged.length + by
        progress = () => {
          if (acknowledged.length >= wanted || failures.length > 0) resolve()
        }
        progress()
      }),
    async stop() {
      stopped.abort()
      await done
      return { split, failures }
    },
  }
}

/** Every acknowledged key is on exactly one side, once. */
async function expectEachOnce(acknowledged: readonly string[]): Promise<void> {
  const found = [...(await keys('old')), ...(await keys('new'))]
  expect(found.toSorted()).toEqual(acknowledged.toSorted())
}

describe('a unit of work that is under way at the hold', () => {
  it.each(Object.entries(works))('ends on the side where it began: %s', async (_, work) => {
    const { core, pool } = drive()
    await core.arm()
    const under = work(pool, 'under way')
    core.hold(lease())
    const later = works['a transaction']!(pool, 'later')
    await core.drain(2_000)
    expect(new Set(await under)).toEqual(new Set(['old']))
    expect(await stateOf(later)).toBe('pending')
    core.release('new')
    expect(new Set(await later)).toEqual(new Set(['new']))
    expect([await keys('old'), await keys('new')]).toEqual([['under way'], ['later']])
  })
})

describe('under load', () => {
  const nested = Object.entries(works).filter(([name]) => /inside|before|row/.test(name))
  const flips = async (driven: Driven, work: Work | readonly Work[], callers: number, times: number) => {
    const { core, pool } = driven
    const busy = load(pool, callers, work)
    await busy.grown(callers)
    for (let nr = 0; nr < times; nr++) {
      await flip(core, core.side === 'old' ? 'new' : 'old')
      await busy.grown(20)
    }
    expect(await busy.stop()).toEqual({ split: [], failures: [] })
    await expectEachOnce(busy.acknowledged)
  }

  const hardest = ['pool.query inside a transaction', 'a transaction inside a transaction']

  it.each(nested)('each flip, with callers whose leases ask for more clients: %s', async (name, work) => {
    if (hardest.includes(name)) await flips(drive({ max: 80 }), work, 64, 6)
    else await flips(drive({ max: 16 }), work, 12, 4)
  })

  it('each flip, with callers that do a bit of everything, on a small pool', async () => {
    await flips(drive({ max: 30 }), Object.values(works), 24, 4)
  })
})

describe('calls that wait', () => {
  it('start in the order in which they came, whatever they are', async () => {
    const { core, pool } = drive({ max: 1 })
    core.hold(lease())
    const order: number[] = []
    const calls = Array.from({ length: 60 }, async (_, nr) => {
      if (nr % 3 === 0) {
        await pool.query(WRITE, [String(nr)])
      } else if (nr % 3 === 1) {
        const client = await pool.connect()
        order.push(nr)
        await client.query(WRITE, [String(nr)])
        client.release()
        return
      } else {
        await new Promise<void>((resolve, reject) => {
          pool.query(WRITE, [String(nr)], (error) => (error ? reject(error) : resolve()))
        })
      }
      order.push(nr)
    })
    await core.drain(1_000)
    core.release('new')
    await Promise.all(calls)
    expect(await keys('new')).toEqual(Array.from({ length: 60 }, (_, nr) => String(nr)))
    expect(order).toEqual(order.toSorted((a, b) => a - b))
  })

  it('go before calls that come after the release', async () => {
    const { core, pool } = drive({ max: 2 })
    core.hold(lease())
    const held = Array.from({ length: 20 }, (_, nr) => pool.query(WRITE, [`held ${nr}`]))
    await core.drain(1_000)
    core.release('new')
    const later = Array.from({ length: 20 }, (_, nr) => pool.query(WRITE, [`later ${nr}`]))
    await Promise.all([...held, ...later])
    const order = (await keys('new')).map((key) => key.split(' ')[0])
    // Two connections: neighbours may change places.
    expect(order.slice(0, 19)).toEqual(Array.from({ length: 19 }, () => 'held'))
  })

  it('are not started on the side that was drained, not even from inside a turn of one of its clients', async () => {
    const { core, pool, inner } = drive()
    await pool.query(WHERE_AM_I)
    core.hold(lease())
    await core.drain(1_000)
    const client = await inner.old.connect()
    await client.query(WHERE_AM_I)
    const waiting = [pool.query(WRITE, ['query']), pool.connect()]
    await client.query('select pg_sleep(0.02)')
    client.release()
    expect(await Promise.all(waiting.map(stateOf))).toEqual(['pending', 'pending'])
    core.release('new')
    await waiting[0]
    const leased = await pool.connect()
    leased.release()
    ;((await waiting[1]) as pg.PoolClient).release()
    expect([await keys('old'), await keys('new')]).toEqual([[], ['query']])
  })

  it('are not taken for those of a lease that got its client in the turn in which they came', async () => {
    const { core, pool } = drive({ max: 1 })
    const first = await pool.connect()
    const second = pool.connect()
    core.hold(lease())
    const drained = core.drain(5_000)
    await first.query(WHERE_AM_I)
    first.release()
    const next = pool.connect()
    const client = await second
    await client.query(WHERE_AM_I)
    client.release()
    await drained
    expect(await stateOf(next)).toBe('pending')
    core.release('new')
    const opened = await next
    expect(await sideOf(opened)).toBe('new')
    opened.release()
  })

  it('may ask for anything, since they were never sent', async () => {
    const { core, pool } = drive()
    core.hold(lease())
    const waiting = [
      pool.query(`insert into entry (key) values ('a'); insert into entry (key) values ('b')`),
      pool.query(`do $$ begin insert into entry (key) values ('c'); end $$`),
      pool.query({ name: 'named', text: WRITE, values: ['d'] }),
    ]
    await core.drain(1_000)
    core.release('new')
    await Promise.all(waiting)
    expect((await keys('new')).toSorted()).toEqual(['a', 'b', 'c', 'd'])
  })
})

it('a client that was checked out before a flip by hand stays on its side, and goes back to it', async () => {
  const driven = drive()
  const { core, pool } = driven
  const client = await pool.connect()
  await client.query('begin')
  await client.query(WRITE, ['1'])
  core.hold(lease())
  core.release('new')
  await atRest(driven)
  expect([await sideOf(pool), await sideOf(client)]).toEqual(['new', 'old'])
  expect([pool.totalCount, pool.idleCount]).toEqual([2, 1])
  await client.query('commit')
  client.release()
  expect(await keys('old')).toEqual(['1'])
  expect(core.pools.old.inner.idleCount).toBe(1)
})

it('a commit that was not awaited is not reported as failed by the drain', async () => {
  const { core, pool } = drive({ max: 20 })
  const commits: Promise<unknown>[] = []
  await Promise.all(
    Array.from({ length: 20 }, async (_, nr) => {
      const client = await pool.connect()
      await client.query('begin')
      await client.query(WRITE, [String(nr)])
      commits.push(client.query('commit'))
      client.release()
    }),
  )
  core.hold(lease())
  await core.drain(2_000)
  await Promise.all(commits)
  expect(await keys('old')).toHaveLength(20)
  await until(
    'old',
    `not exists (select from pg_stat_activity where state = 'idle in transaction'
                        and datname = current_database())`,
  )
  expect(await observe('old', 'select count(*)::int as n from entry')).toEqual([{ n: 20 }])
})
