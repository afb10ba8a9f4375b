// Contract: the four counts, step by step through the life of a pool.
import { once } from 'node:events'
import type pg from 'pg'
import { describe, expect, it } from 'vitest'
import type { Fixture } from './fixture.js'

const counts = (pool: pg.Pool): number[] => [
  pool.totalCount,
  pool.idleCount,
  pool.waitingCount,
  pool.expiredCount,
]

export function countsContract(fixture: Fixture): void {
  describe('counts', () => {
    it('follow checkouts, waiters, releases and the end', async () => {
      const pool = await fixture.open({ max: 2 })
      expect(counts(pool)).toEqual([0, 0, 0, 0])
      const first = pool.connect()
      expect(counts(pool), 'a connection that is being made counts').toEqual([1, 0, 0, 0])
      const a = await first
      const b = await pool.connect()
      expect(counts(pool)).toEqual([2, 0, 0, 0])
      const [third, fourth] = [pool.connect(), pool.connect()]
      expect(counts(pool)).toEqual([2, 0, 2, 0])
      a.release()
      const c = await third
      expect(counts(pool)).toEqual([2, 0, 1, 0])
      b.release()
      const d = await fourth
      expect(counts(pool)).toEqual([2, 0, 0, 0])
      c.release()
      expect(counts(pool)).toEqual([2, 1, 0, 0])
      d.release()
      expect(counts(pool)).toEqual([2, 2, 0, 0])
      await pool.end()
      expect(counts(pool)).toEqual([0, 0, 0, 0])
    })

    it('count a caller as waiting for a turn even when a client is idle', async () => {
      const pool = await fixture.open({ max: 1 })
      await pool.query('select 1')
      const checkout = pool.connect()
      expect(counts(pool)).toEqual([1, 1, 1, 0])
      const client = await checkout
      expect(counts(pool)).toEqual([1, 0, 0, 0])
      client.release()
    })

    it('count a query like a checkout', async () => {
      const pool = await fixture.open({ max: 1 })
      const answers = [pool.query('select 1'), pool.query('select 2'), pool.query('select 3')]
      expect(counts(pool)).toEqual([1, 0, 2, 0])
      await Promise.all(answers)
      expect(counts(pool)).toEqual([1, 1, 0, 0])
    })

    it('drop a client the moment it is thrown away', async () => {
      const pool = await fixture.open()
      const [a, b] = await Promise.all([pool.connect(), pool.connect()])
      const removed = once(pool, 'remove')
      a.release(true)
      expect(counts(pool)).toEqual([1, 0, 0, 0])
      b.release()
      await removed
      expect(counts(pool)).toEqual([1, 1, 0, 0])
    })
  })
}
