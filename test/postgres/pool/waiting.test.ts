// Waiting calls: their acquire timeout stands still in a hold, `max` is kept, and the line empties under saturation.
import { describe, expect, it } from 'vitest'
import type pg from 'pg'
import { atRest, flip, lease, reasonOf, routeOf, sideOf, sides, stateOf, turn, WRITE } from './fixture.js'

const { drive, keys } = await sides()

const LATE = 'timeout exceeded when trying to connect'

const passed = (millis: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, millis)
  })

async function timed(work: Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work
  return performance.now() - began
}

describe('connectionTimeoutMillis', () => {
  it('stands still in a hold, for calls before and in it', async () => {
    const driven = drive({ connectionTimeoutMillis: 700, max: 1 })
    const { core, pool } = driven
    await core.arm()
    const client = await pool.connect()
    const before = pool.query(WRITE, ['before'])
    core.hold(lease())
    const inside = pool.query(WRITE, ['inside'])
    await passed(750)
    expect(await Promise.all([before, inside].map(stateOf))).toEqual(['pending', 'pending'])
    client.release()
    await core.drain(1_000)
    core.release('new')
    await Promise.all([before, inside])
    // A `pool.query` from before the hold may still be let through to the side being left.
    expect([...(await keys('old')), ...(await keys('new'))]).toEqual(['before', 'inside'])
  })

  it.each(['armed', 'releasing'])(
    'ends the wait in the line with the text of pg-pool, in order: %s',
    async (route) => {
      const driven = drive({ connectionTimeoutMillis: 700, max: 1 })
      const { core, pool } = driven
      await core.arm()
      const client = await pool.connect()
      const ended: number[] = []
      const wait = async (nr: number): Promise<string> => {
        const { message } = await reasonOf(nr % 2 === 0 ? pool.connect() : pool.query('select 1'))
        ended.push(nr)
        return message
      }
      const waiting = [wait(0), wait(1)]
      await passed(50)
      waiting.push(wait(2), wait(3))
      if (route === 'releasing') core.release('old')
      expect(await Promise.all(waiting)).toEqual([LATE, LATE, LATE, LATE])
      expect(ended).toEqual([0, 1, 2, 3])
      expect(pool.waitingCount).toBe(0)
      client.release()
      expect(await sideOf(pool)).toBe('old')
    },
  )

  it('is not given twice at the release', async () => {
    const { core, pool } = drive({ connectionTimeoutMillis: 600, max: 1 })
    core.hold(lease())
    const first = pool.connect()
    const second = timed(reasonOf(pool.connect()))
    const third = timed(reasonOf(pool.query('select 1')))
    await passed(20)
    core.release('new')
    const client = await first
    const millis = await Promise.all([second, third])
    for (const waited of millis) {
      expect(waited).toBeGreaterThan(615)
      expect(waited).toBeLessThan(1_150)
    }
    client.release()
  })

  it('of a call behind those that were held goes on in the queue of the inner pool with what is left of it', async () => {
    const driven = drive({ connectionTimeoutMillis: 600, max: 1 })
    const { core, pool } = driven
    await core.arm()
    const client = await pool.connect()
    const first = pool.connect()
    core.release('old')
    const second = timed(reasonOf(pool.connect()))
    await passed(300)
    // The first of the line gets its client, so that the second one moves on into the queue behind it.
    client.release()
    const holder = await first
    await atRest(driven)
    expect([driven.inner.old.waitingCount, core.line.length]).toEqual([1, 0])
    const waited = await second
    expect(waited).toBeGreaterThan(595)
    expect(waited).toBeLessThan(850)
    holder.release()
  })
})

it.each(['armed', 'held and released', 'releasing'])(
  'never more than `max` connections: %s',
  async (route) => {
    const driven = drive({ max: 3 })
    const { core, pool, inner } = driven
    let most = 0
    pool.on('acquire', () => {
      most = Math.max(most, inner.old.totalCount, inner.new.totalCount)
    })
    if (route === 'armed') await core.arm()
    else core.hold(lease())
    const calls = (): Promise<unknown>[] =>
      Array.from({ length: 40 }, (_, nr) =>
        nr % 2 === 0 ? sideOf(pool) : pool.connect().then((client) => client.release()),
      )
    const waiting = calls()
    if (route !== 'armed') core.release('new')
    if (route === 'releasing') waiting.push(...calls())
    await Promise.all(waiting)
    expect(most).toBe(3)
  },
)

describe('under saturation, 64 callers on 4 connections', () => {
  function saturate(pool: pg.Pool) {
    const served: true[] = []
    const stopped = new AbortController()
    const caller = async (): Promise<void> => {
      while (!stopped.signal.aborted) {
        await pool.query('select pg_sleep(0.001)')
        served.push(true)
      }
    }
    const callers = Promise.all(Array.from({ length: 64 }, caller))
    return {
      async more(count: number): Promise<void> {
        const goal = served.length + count
        while (served.length < goal) await turn()
      },
      async stop(): Promise<void> {
        stopped.abort()
        await callers
      },
    }
  }

  it.each([0, 20_000])(
    'the armed route is left at once, with connectionTimeoutMillis %d',
    async (connectionTimeoutMillis) => {
      const driven = drive({ max: 4, connectionTimeoutMillis })
      const { core, pool } = driven
      const busy = saturate(pool)
      await busy.more(128)
      await core.arm()
      await busy.more(128)
      const began = performance.now()
      core.release('old')
      await atRest(driven)
      expect(performance.now() - began).toBeLessThan(2_000)
      expect(core.line.length).toBe(0)
      await busy.more(128)
      await busy.stop()
      expect(driven.inner.old.waitingCount).toBe(0)
    },
  )

  it('each flip is done, and the line is left each time', async () => {
    const driven = drive({ max: 4 })
    const { core, pool } = driven
    const busy = saturate(pool)
    for (let nr = 0; nr < 6; nr++) {
      await busy.more(64)
      await flip(core, core.side === 'old' ? 'new' : 'old')
      await atRest(driven)
    }
    await busy.stop()
  })
})

describe('while releasing', () => {
  it('another hold takes what has not started, and the release after it lets go of all', async () => {
    const driven = drive({ max: 1 })
    const { core, pool } = driven
    core.hold(lease())
    const client = pool.connect()
    const waiting = Array.from({ length: 5 }, (_, nr) => pool.query(WRITE, [String(nr)]))
    await core.drain(1_000)
    core.release('new')
    const first = await client
    expect(core.state.kind).toBe('releasing')
    core.hold(lease())
    first.release()
    await core.drain(1_000)
    expect(await Promise.all(waiting.map(stateOf))).toEqual(waiting.map(() => 'pending'))
    core.release('old')
    await Promise.all(waiting)
    await atRest(driven)
    expect([await keys('old'), await keys('new')]).toEqual([['0', '1', '2', '3', '4'], []])
  })

  it('another attempt may begin, and the end of the first release does not end it', async () => {
    const driven = drive({ max: 1 })
    const { core, pool } = driven
    core.hold(lease())
    const client = pool.connect()
    const waiting = pool.query(WRITE, ['1'])
    await core.drain(1_000)
    core.release('new')
    const first = await client
    await core.arm()
    first.release()
    await waiting
    await turn()
    await turn()
    expect(core.state.kind).toBe('armed')
    core.release('new')
    await routeOf(driven, 'direct')
  })
})

it('a connection that fails moves the line on', async () => {
  const driven = drive({ max: 1 }, { new: { connectionString: 'postgres://nobody@127.0.0.1:1/nowhere' } })
  const { core, pool } = driven
  core.hold(lease())
  const waiting = Array.from({ length: 3 }, () => reasonOf(pool.query('select 1')))
  core.release('new')
  expect((await Promise.all(waiting)).map(({ code }) => code)).toEqual([
    'ECONNREFUSED',
    'ECONNREFUSED',
    'ECONNREFUSED',
  ])
  await atRest(driven)
})
