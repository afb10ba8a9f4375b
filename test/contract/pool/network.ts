// Contract: what becomes of callers and connections when the network stalls, cuts or leads nowhere.
import { once } from 'node:events'
import type pg from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startProxy } from '../../support/proxy.js'
import type { Proxy } from '../../support/proxy.js'
import type { Fixture } from './fixture.js'
import { eventOf, lossOf, reasonOf } from './turns.js'

const CUT = /ECONNRESET|EPIPE|^Connection terminated unexpectedly$/
const NOT_CONNECTED = 'Connection terminated due to connection timeout'

export function networkContract(fixture: Fixture): void {
  async function openThroughProxy(extra: pg.PoolConfig = {}): Promise<{ pool: pg.Pool; proxy: Proxy }> {
    const proxy = await startProxy(fixture.config().port ?? 0)
    // After the pools have ended, so that the end of the proxy is no fault of its own.
    onTestFinished(() => proxy.close())
    return { pool: await fixture.open({ ...extra, port: proxy.port }), proxy }
  }

  describe('a network that cuts', () => {
    it('makes an idle client an error of the pool, and the next query opens another', async () => {
      const { pool, proxy } = await openThroughProxy()
      const client = await pool.connect()
      client.release()
      const failed = eventOf(pool, 'error')
      proxy.cut()
      const [error, which] = await failed
      expect(error).toMatchObject({ message: expect.stringMatching(CUT) as unknown, client })
      expect(which).toBe(client)
      expect(pool.totalCount).toBe(0)
      expect((await pool.query('select side from marker')).rows).toEqual([{ side: 'old' }])
    })

    it('rejects the query that runs, once, and no error is left over for the process', async () => {
      const { pool, proxy } = await openThroughProxy()
      const acquired = once(pool, 'acquire')
      const removed = eventOf(pool, 'remove')
      const failing = reasonOf(pool.query('select pg_sleep(0.1)'))
      await acquired
      proxy.cut()
      expect((await failing).message).toMatch(CUT)
      await removed
      expect(pool.totalCount).toBe(0)
      expect((await pool.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    })

    it('rejects what a client that is out had asked, and tells the client', async () => {
      const { pool, proxy } = await openThroughProxy()
      const client = await pool.connect()
      const lost = lossOf(client)
      const failing = reasonOf(client.query('select pg_sleep(0.1)'))
      proxy.cut()
      expect((await lost).message).toMatch(CUT)
      expect((await failing).message).toMatch(CUT)
      client.release()
      expect(pool.totalCount).toBe(0)
    })

    it('serves those who wait with new connections', async () => {
      const { pool, proxy } = await openThroughProxy({ max: 1 })
      const acquired = once(pool, 'acquire')
      const failing = reasonOf(pool.query('select pg_sleep(0.1)'))
      const waiting = [pool.query('select 1 as n'), pool.query('select 2 as n')]
      await acquired
      proxy.cut()
      await failing
      const answers = await Promise.all(waiting)
      expect(answers.map(({ rows }) => rows[0] as unknown)).toEqual([{ n: 1 }, { n: 2 }])
    })
  })

  describe('a network that stalls', () => {
    it('rejects the checkout after connectionTimeoutMillis, and keeps nothing', async () => {
      const { pool, proxy } = await openThroughProxy({ connectionTimeoutMillis: 40 })
      proxy.stall()
      const reason = await reasonOf(pool.connect())
      expect(reason.message).toBe(NOT_CONNECTED)
      expect(reason.cause).toMatchObject({ message: 'Connection terminated unexpectedly' })
      expect([pool.totalCount, pool.idleCount, pool.waitingCount]).toEqual([0, 0, 0])
    })

    it('rejects a query the same way, and the checkout that waits behind it', async () => {
      const { pool, proxy } = await openThroughProxy({ connectionTimeoutMillis: 20, max: 1 })
      proxy.stall()
      const reasons = await Promise.all([reasonOf(pool.query('select 1')), reasonOf(pool.connect())])
      expect(reasons[0]?.message).toBe(NOT_CONNECTED)
      // Both timers end in the same millisecond: whoever waits may have begun to connect by then.
      expect([NOT_CONNECTED, 'timeout exceeded when trying to connect']).toContain(reasons[1]?.message)
      expect(pool.waitingCount).toBe(0)
    })

    it('serves again when it has recovered', async () => {
      const { pool, proxy } = await openThroughProxy({ connectionTimeoutMillis: 20 })
      proxy.stall()
      await reasonOf(pool.connect())
      await proxy.resume()
      pool.options.connectionTimeoutMillis = 10_000
      expect((await pool.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    })

    it('rejects a query after query_timeout, whose connection is thrown away', async () => {
      const { pool, proxy } = await openThroughProxy({ query_timeout: 100 })
      await pool.query('select 1')
      proxy.stall()
      expect((await reasonOf(pool.query('select 1'))).message).toBe('Query read timeout')
      expect(pool.totalCount).toBe(0)
      await proxy.resume()
    })
  })
}
