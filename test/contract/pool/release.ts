// Contract: giving a client back, rightly and wrongly.
import { once } from 'node:events'
import type pg from 'pg'
import { describe, expect, it } from 'vitest'
import type { Fixture } from './fixture.js'
import { lossOf } from './turns.js'

const RELEASED_TWICE = 'Release called on client which has already been released to the pool.'

export function releaseContract(fixture: Fixture): void {
  describe('release', () => {
    it.each([undefined, false])('keeps the client on release(%s)', async (argument) => {
      const pool = await fixture.open()
      const client = await pool.connect()
      client.release(argument)
      expect([pool.totalCount, pool.idleCount]).toEqual([1, 1])
    })

    it.each([true, new Error('the caller no longer trusts it')])(
      'removes the client and closes its connection on release(%s)',
      async (argument) => {
        const pool = await fixture.open()
        const client = await pool.connect()
        const removed = once(pool, 'remove')
        client.release(argument)
        expect([pool.totalCount, pool.idleCount]).toEqual([0, 0])
        expect(await removed).toEqual([client])
        await fixture.allGone()
      },
    )

    it('throws on the second call and does nothing', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      client.release()
      expect(() => client.release()).toThrow(RELEASED_TWICE)
      expect(() => client.release(true)).toThrow(RELEASED_TWICE)
      expect([pool.totalCount, pool.idleCount]).toEqual([1, 1])
    })

    it('throws when a client is given back by done and by release', async () => {
      const pool = await fixture.open()
      await new Promise<void>((resolve) => {
        pool.connect((_err, client, done) => {
          done()
          expect(() => client?.release()).toThrow(RELEASED_TWICE)
          resolve()
        })
      })
    })

    it('throws when the release of an earlier checkout is called in a later one', async () => {
      const pool = await fixture.open({ max: 1 })
      const client = await pool.connect()
      const stale = client.release.bind(client)
      client.release()
      const again = await pool.connect()
      expect(again).toBe(client)
      expect(() => stale()).toThrow(RELEASED_TWICE)
      expect(pool.idleCount).toBe(0)
      again.release()
    })

    it('needs no receiver', async () => {
      const pool = await fixture.open()
      const { release } = (await pool.connect()) as { release: () => void }
      release()
      expect(pool.idleCount).toBe(1)
    })

    it('makes room for a waiter on release(true)', async () => {
      const pool = await fixture.open({ max: 1 })
      const broken = await pool.connect()
      const waiting = pool.connect()
      broken.release(true)
      const fresh = await waiting
      expect(fresh).not.toBe(broken)
      fresh.release()
    })

    it('lets a query that was not awaited finish, ahead of what the next holder asks', async () => {
      const pool = await fixture.open({ max: 1 })
      const client = await pool.connect()
      const order: string[] = []
      const left = client.query('select pg_sleep(0.02)').then(() => order.push('left behind'))
      client.release()
      expect(pool.idleCount).toBe(1)
      await pool.query('select 1')
      order.push('next')
      await left
      expect(order).toEqual(['left behind', 'next'])
    })

    it('commits a transaction whose commit was not awaited', async () => {
      const pool = await fixture.open({ max: 1 })
      const entry = `${fixture.place.subject}: commit not awaited`
      const client = await pool.connect()
      await client.query('begin')
      await client.query('insert into log values ($1)', [entry])
      const committed = client.query('commit')
      client.release()
      expect((await committed).command).toBe('COMMIT')
      expect(await fixture.observe('select 1 from log where entry = $1', [entry])).toHaveLength(1)
    })

    it('hands the next holder a client that is still in a transaction', async () => {
      const pool = await fixture.open({ max: 1 })
      const client = await pool.connect()
      await client.query('begin')
      await client.query('create temp table only_here (n int)')
      client.release()
      const next = await pool.connect()
      expect(next.getTransactionStatus()).toBe('T')
      expect((await next.query('select count(*)::int as n from only_here')).rows).toEqual([{ n: 0 }])
      await next.query('rollback')
      next.release()
    })

    it('removes a client that the caller has ended', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      await (client as pg.Client).end()
      client.release()
      expect([pool.totalCount, pool.idleCount]).toEqual([0, 0])
    })

    it('removes a client whose connection was lost while it was out', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      const lost = lossOf(client)
      await fixture.observe('select pg_terminate_backend($1)', [processIDOf(client)])
      await lost
      expect(pool.totalCount).toBe(1)
      client.release()
      expect([pool.totalCount, pool.idleCount]).toEqual([0, 0])
    })

    it('keeps what a session was told, as plain pg does', async () => {
      const pool = await fixture.open({ max: 1 })
      await pool.query(`set application_name = 'told by the first'`)
      const { rows } = await pool.query(`select current_setting('application_name') as name`)
      expect(rows).toEqual([{ name: 'told by the first' }])
    })
  })
}

function processIDOf(client: pg.PoolClient): unknown {
  return 'processID' in client ? client.processID : undefined
}
