// Contract: ending a pool, in each state it can be in, and what it says afterwards.
import { once } from 'node:events'
import type pg from 'pg'
import { describe, expect, it } from 'vitest'
import type { Fixture } from './fixture.js'
import { reasonOf, stateOf } from './turns.js'

const AFTER_END = 'Cannot use a pool after calling end on the pool'
const ENDED_TWICE = 'Called end on pool more than once'

export function endContract(fixture: Fixture): void {
  describe('end', () => {
    it('resolves at once for a pool that was never used', async () => {
      const pool = await fixture.open()
      expect(await pool.end()).toBeUndefined()
      expect([pool.ending, pool.ended]).toEqual([true, true])
    })

    it('says ending and ended as it goes', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      expect([pool.ending, pool.ended]).toEqual([false, false])
      const ended = pool.end()
      expect([pool.ending, pool.ended]).toEqual([true, false])
      client.release()
      await ended
      expect([pool.ending, pool.ended]).toEqual([true, true])
    })

    it('closes idle connections and says so by event', async () => {
      const pool = await fixture.open()
      const clients = await Promise.all([pool.connect(), pool.connect()])
      for (const client of clients) client.release()
      const removed = new Promise<Set<pg.PoolClient>>((resolve) => {
        const seen = new Set<pg.PoolClient>()
        pool.on('remove', (client) => {
          if (seen.add(client).size === 2) resolve(seen)
        })
      })
      await pool.end()
      expect(await removed).toEqual(new Set(clients))
      expect([pool.totalCount, pool.idleCount]).toEqual([0, 0])
      await fixture.allGone()
    })

    it('calls back without arguments and returns undefined', async () => {
      const pool = await fixture.open()
      await pool.query('select 1')
      const args = await new Promise<unknown[]>((resolve) => {
        const returned: unknown = pool.end((...args: unknown[]) => resolve(args))
        expect(returned).toBeUndefined()
      })
      expect(args.filter((arg) => arg !== undefined)).toEqual([])
      expect(pool.ended).toBe(true)
    })

    it('waits for a client that is out, which goes on working until it comes back', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      const ended = pool.end()
      expect((await client.query('select side from marker')).rows).toEqual([{ side: 'old' }])
      expect(await stateOf(ended)).toBe('pending')
      client.release()
      await ended
      expect(pool.totalCount).toBe(0)
    })

    it('lets a transaction that is open finish', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      await client.query('begin')
      await client.query(`insert into log values ('${fixture.place.subject}: open while the pool ended')`)
      const ended = pool.end()
      await client.query('commit')
      client.release()
      await ended
      expect(
        await fixture.observe('select 1 from log where entry = $1', [
          `${fixture.place.subject}: open while the pool ended`,
        ]),
      ).toHaveLength(1)
    })

    it('lets a query that runs finish', async () => {
      const pool = await fixture.open()
      const answer = pool.query('select pg_sleep(0.02), 1 as n')
      await once(pool, 'acquire')
      const ended = pool.end()
      expect((await answer).rows).toMatchObject([{ n: 1 }])
      await ended
    })

    it('lets a checkout whose connection is being made through', async () => {
      const pool = await fixture.open()
      const checkout = pool.connect()
      const ended = pool.end()
      expect(await stateOf(ended)).toBe('pending')
      const client = await checkout
      expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }])
      client.release()
      await ended
    })

    it('ends when the connection that was being made fails', async () => {
      const pool = await fixture.open({ password: 'not the password' })
      const failing = reasonOf(pool.connect())
      const ended = pool.end()
      expect(await failing).toMatchObject({ code: '28P01' })
      await ended
      expect(pool.ended).toBe(true)
    })

    it(`leaves no checkout that waits without the outcome that is written down: ${fixture.outcome('checkoutsQueuedAtEnd')}`, async () => {
      const pool = await fixture.open({ max: 1 })
      const client = await pool.connect()
      const queued = [pool.connect(), pool.query('select 1')]
      const reasons = Promise.all(queued.map((promise) => reasonOf(promise)))
      const ended = pool.end()
      client.release()
      await ended
      if (fixture.outcome('checkoutsQueuedAtEnd') === 'rejected') {
        expect((await reasons).map(({ message }) => message)).toEqual([AFTER_END, AFTER_END])
      } else {
        expect(await stateOf(reasons)).toBe('pending')
      }
    })

    it('rejects the second call by promise', async () => {
      const pool = await fixture.open()
      const first = pool.end()
      expect((await reasonOf(pool.end())).message).toBe(ENDED_TWICE)
      await first
      expect((await reasonOf(pool.end())).message).toBe(ENDED_TWICE)
    })

    it('gives the error of the second call to its callback', async () => {
      const pool = await fixture.open()
      await pool.end()
      const end = pool.end.bind(pool) as (callback: (err?: Error) => void) => void
      const reason = await new Promise<Error | undefined>((resolve) => end(resolve))
      expect(reason?.message).toBe(ENDED_TWICE)
    })

    it('rejects connect afterwards, by promise and by callback', async () => {
      const pool = await fixture.open()
      await pool.end()
      expect((await reasonOf(pool.connect())).message).toBe(AFTER_END)
      const [err, client] = await new Promise<unknown[]>((resolve) => {
        pool.connect((...args) => resolve(args))
      })
      expect(err).toMatchObject({ message: AFTER_END })
      expect(client).toBeUndefined()
    })

    it('rejects query afterwards, by promise and by callback', async () => {
      const pool = await fixture.open()
      await pool.end()
      expect((await reasonOf(pool.query('select 1'))).message).toBe(AFTER_END)
      const err = await new Promise<Error>((resolve) => {
        pool.query('select 1', (err) => resolve(err))
      })
      expect(err.message).toBe(AFTER_END)
    })

    it('rejects connect and query while it waits for a client', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      const ended = pool.end()
      expect((await reasonOf(pool.connect())).message).toBe(AFTER_END)
      expect((await reasonOf(pool.query('select 1'))).message).toBe(AFTER_END)
      client.release()
      await ended
    })

    it('removes, and does not keep, a client that comes back with a waiting end', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      const removed = once(pool, 'remove')
      const ended = pool.end()
      client.release()
      expect(pool.idleCount).toBe(0)
      expect(await removed).toEqual([client])
      await ended
    })
  })
}
