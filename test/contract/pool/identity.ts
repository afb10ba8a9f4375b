// Contract: what libraries look at to tell that they were given a pool.
import { EventEmitter } from 'node:events'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import type { Fixture } from './fixture.js'

/** Lists that tracing tools read although pg-pool does not document them. */
const insides = ['_clients', '_idle', '_pendingQueue']

export function identityContract(fixture: Fixture): void {
  describe('identity', () => {
    it('is a pg.Pool and an EventEmitter', async () => {
      const pool = await fixture.open()
      expect(pool).toBeInstanceOf(pg.Pool)
      expect(pool).toBeInstanceOf(EventEmitter)
    })

    it('has Pool in the name of its class', async () => {
      const pool = await fixture.open()
      expect(pool.constructor.name).toContain('Pool')
    })

    it('has the methods and fields of a pool', async () => {
      const pool = await fixture.open()
      for (const method of ['connect', 'query', 'end', 'on', 'once', 'emit', 'off'] as const) {
        expect(typeof pool[method], method).toBe('function')
      }
      for (const count of ['totalCount', 'idleCount', 'waitingCount', 'expiredCount'] as const) {
        expect(pool[count], count).toBe(0)
      }
      expect([pool.ending, pool.ended]).toEqual([false, false])
    })

    it('shows the lists that tracing tools read, as long as the counts', async () => {
      const pool = await fixture.open({ max: 2 })
      const clients = await Promise.all([pool.connect(), pool.connect()])
      const waiting = pool.connect()
      const sizes = (): number[] => insides.map((name) => (Reflect.get(pool, name) as unknown[]).length)
      expect(sizes()).toEqual([2, 0, 1])
      for (const client of clients) client.release()
      const last = await waiting
      expect(sizes()).toEqual([pool.totalCount, pool.idleCount, pool.waitingCount])
      expect(sizes()).toEqual([2, 1, 0])
      last.release()
    })
  })
}
