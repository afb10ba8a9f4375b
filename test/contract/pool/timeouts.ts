// Contract: the timeouts an application can set on a pool, on its sessions and on one query.
import { once } from 'node:events'
import type pg from 'pg'
import { describe, expect, it } from 'vitest'
import type { Fixture } from './fixture.js'
import { lossOf, nextTurn, reasonOf } from './turns.js'

const FULL = 'timeout exceeded when trying to connect'

export function timeoutsContract(fixture: Fixture): void {
  describe('connectionTimeoutMillis while the pool is full', () => {
    /** A pool of one client that is out. The timeout is set afterwards: it must not meet the connecting itself. */
    async function fullPool(millis: number): Promise<{ pool: pg.Pool; client: pg.PoolClient }> {
      const pool = await fixture.open({ max: 1, connectionTimeoutMillis: 10_000 })
      const client = await pool.connect()
      pool.options.connectionTimeoutMillis = millis
      return { pool, client }
    }

    it('rejects the checkout, and forgets it', async () => {
      const { pool, client } = await fullPool(40)
      const began = performance.now()
      const reason = await reasonOf(pool.connect())
      expect(reason.message).toBe(FULL)
      expect(performance.now() - began).toBeGreaterThanOrEqual(38)
      expect(pool.waitingCount).toBe(0)
      client.release()
      await nextTurn()
      expect([pool.totalCount, pool.idleCount]).toEqual([1, 1])
    })

    it('gives the error to a callback', async () => {
      const { pool, client } = await fullPool(20)
      const [err, nobody] = await new Promise<unknown[]>((resolve) => {
        pool.connect((...args) => resolve(args))
      })
      expect(err).toMatchObject({ message: FULL })
      expect(nobody).toBeUndefined()
      client.release()
    })

    it('rejects a query', async () => {
      const { pool, client } = await fullPool(20)
      expect((await reasonOf(pool.query('select 1'))).message).toBe(FULL)
      client.release()
    })

    it('rejects each of those who wait, and serves the one who came in time', async () => {
      const { pool, client } = await fullPool(40)
      const late = await Promise.all([reasonOf(pool.connect()), reasonOf(pool.query('select 1'))])
      expect(late.map(({ message }) => message)).toEqual([FULL, FULL])
      const inTime = pool.query('select 1 as n')
      client.release()
      expect((await inTime).rows).toEqual([{ n: 1 }])
    })

    it('does not touch a caller that has been served', async () => {
      const { pool, client: first } = await fullPool(30)
      const calls: unknown[] = []
      const served = new Promise<pg.PoolClient>((resolve) => {
        pool.connect((err, client) => {
          calls.push(err)
          if (client) resolve(client)
        })
      })
      first.release()
      const client = await served
      await client.query('select pg_sleep(0.04)')
      expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }])
      expect(calls).toEqual([undefined])
      client.release()
      expect(pool.idleCount).toBe(1)
    })
  })

  describe('idleTimeoutMillis', () => {
    it('closes a client that nobody wants for so long', async () => {
      const pool = await fixture.open({ idleTimeoutMillis: 30 })
      const client = await pool.connect()
      const removed = once(pool, 'remove')
      const began = performance.now()
      client.release()
      expect(await removed).toEqual([client])
      expect(performance.now() - began).toBeGreaterThanOrEqual(28)
      expect(pool.totalCount).toBe(0)
      await fixture.allGone()
    })

    it('counts anew from each release', async () => {
      const pool = await fixture.open({ idleTimeoutMillis: 40 })
      const client = await pool.connect()
      client.release()
      const again = await pool.connect()
      expect(again).toBe(client)
      await again.query('select pg_sleep(0.05)')
      expect(pool.totalCount).toBe(1)
      const removed = once(pool, 'remove')
      again.release()
      await removed
    })

    it.each([0, null])('keeps idle clients for good when it is %s', async (idleTimeoutMillis) => {
      const pool = await fixture.open({ idleTimeoutMillis, max: 2 })
      expect(pool.options.idleTimeoutMillis).toBe(idleTimeoutMillis)
      const watched = await pool.connect()
      await pool.query('select 1')
      await watched.query('select pg_sleep(0.04)')
      expect([pool.totalCount, pool.idleCount]).toEqual([2, 1])
      watched.release()
    })

    it('leaves min clients alone', async () => {
      const pool = await fixture.open({ idleTimeoutMillis: 20, min: 1, max: 3 })
      const clients = await Promise.all([pool.connect(), pool.connect(), pool.connect()])
      const twoGone = new Promise<void>((resolve) => {
        let gone = 0
        pool.on('remove', () => {
          gone += 1
          if (gone === 2) resolve()
        })
      })
      for (const client of clients) client.release()
      await twoGone
      const left = await pool.connect()
      expect(clients).toContain(left)
      await left.query('select pg_sleep(0.03)')
      expect(pool.totalCount).toBe(1)
      left.release()
    })
  })

  describe('timeouts of queries', () => {
    it('query_timeout of the pool rejects, and the connection is thrown away', async () => {
      const pool = await fixture.open({ query_timeout: 150 })
      expect((await reasonOf(pool.query('select pg_sleep(0.3)'))).message).toBe('Query read timeout')
      expect(pool.totalCount).toBe(0)
      expect((await pool.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    })

    it('query_timeout of one query rejects it alone', async () => {
      const pool = await fixture.open({ max: 2 })
      const limited: pg.QueryConfig & { query_timeout: number } = {
        text: 'select pg_sleep(0.1)',
        query_timeout: 20,
      }
      const [bad, good] = await Promise.allSettled([
        pool.query(limited),
        pool.query('select pg_sleep(0.05), 1 as n'),
      ])
      expect(bad).toMatchObject({ status: 'rejected', reason: { message: 'Query read timeout' } })
      expect(good.status).toBe('fulfilled')
    })

    it.each([
      ['statement_timeout', { statement_timeout: 20 }, '57014'],
      ['lock_timeout', { lock_timeout: 20 }, '55P03'],
    ])('%s is kept by the server', async (_name, config, code) => {
      const pool = await fixture.open(config)
      const holder = await fixture.open()
      const client = await holder.connect()
      await client.query('begin')
      await client.query('lock table marker in access exclusive mode')
      expect(await reasonOf(pool.query('select side from marker'))).toMatchObject({ code })
      await client.query('rollback')
      client.release()
    })

    it('idle_in_transaction_session_timeout ends the session of a client that is out', async () => {
      const pool = await fixture.open({ idle_in_transaction_session_timeout: 20 })
      const client = await pool.connect()
      const lost = lossOf(client)
      await client.query('begin')
      expect(await lost).toMatchObject({ code: '25P03' })
      client.release()
      expect(pool.totalCount).toBe(0)
    })
  })
}
