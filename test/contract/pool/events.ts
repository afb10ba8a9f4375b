// Contract: the five events, their arguments, order and number, and the error of an idle client.
import { once } from 'node:events'
import type pg from 'pg'
import { describe, expect, it } from 'vitest'
import type { Fixture } from './fixture.js'
import { eventOf, lossOf, reasonOf } from './turns.js'

const names = ['connect', 'acquire', 'release', 'remove', 'error'] as const
type Seen = [name: (typeof names)[number], ...args: unknown[]]

function record(pool: pg.Pool): Seen[] {
  const seen: Seen[] = []
  for (const name of names) pool.on(name, (...args: unknown[]) => seen.push([name, ...args]))
  return seen
}

export function eventsContract(fixture: Fixture): void {
  describe('events', () => {
    it('are connect, acquire, release and remove in the life of one client, each once', async () => {
      const pool = await fixture.open()
      const seen = record(pool)
      const client = await pool.connect()
      client.release()
      const again = await pool.connect()
      const removed = once(pool, 'remove')
      again.release(true)
      await removed
      expect(seen).toEqual([
        ['connect', client],
        ['acquire', client],
        ['release', undefined, client],
        ['acquire', client],
        ['release', true, client],
        ['remove', client],
      ])
    })

    it('come for a query as for a checkout', async () => {
      const pool = await fixture.open()
      const seen = record(pool)
      await pool.query('select 1')
      await pool.query('select 1')
      expect(seen.map(([name]) => name)).toEqual(['connect', 'acquire', 'release', 'acquire', 'release'])
    })

    it('give release the error of a failed query', async () => {
      const pool = await fixture.open()
      const seen = record(pool)
      const removed = once(pool, 'remove')
      const reason = await reasonOf(pool.query('select 1/0'))
      await removed
      const [connected, , released, gone] = seen
      expect(seen.map(([name]) => name)).toEqual(['connect', 'acquire', 'release', 'remove'])
      expect(released).toEqual(['release', expect.objectContaining({ code: '22012' }), connected?.[1]])
      expect(released?.[1]).toBe(reason)
      expect(gone?.[1]).toBe(connected?.[1])
    })

    it('come before the caller has the client', async () => {
      const pool = await fixture.open()
      const order: string[] = []
      pool.on('connect', () => order.push('connect'))
      pool.on('acquire', () => order.push('acquire'))
      await new Promise<void>((resolve) => {
        pool.connect((_err, _client, done) => {
          order.push('callback')
          done()
          resolve()
        })
      })
      expect(order).toEqual(['connect', 'acquire', 'callback'])
    })

    it('let a connect listener set the session up ahead of the first query', async () => {
      const pool = await fixture.open()
      pool.on('connect', (client) => void client.query(`set search_path = 'pg_catalog'`))
      const { rows } = await pool.query('show search_path')
      expect(rows).toEqual([{ search_path: 'pg_catalog' }])
    })

    it('say release before, and remove after, the client has left the counts', async () => {
      const pool = await fixture.open()
      const counts: unknown[] = []
      pool.on('release', () => counts.push(['release', pool.totalCount, pool.idleCount]))
      pool.on('remove', () => counts.push(['remove', pool.totalCount, pool.idleCount]))
      const client = await pool.connect()
      const removed = once(pool, 'remove')
      client.release(true)
      await removed
      expect(counts).toEqual([
        ['release', 1, 0],
        ['remove', 0, 0],
      ])
    })

    it('are not emitted for a connection that could not be made', async () => {
      const pool = await fixture.open({ password: 'not the password' })
      const seen = record(pool)
      await reasonOf(pool.connect())
      expect(seen).toEqual([])
    })

    it('connect once for each connection, not for each checkout', async () => {
      const pool = await fixture.open({ max: 3 })
      const seen = record(pool)
      await Promise.all(Array.from({ length: 30 }, () => pool.query('select 1')))
      const count = (wanted: string): number => seen.filter(([name]) => name === wanted).length
      expect([count('connect'), count('acquire'), count('release'), count('remove')]).toEqual([3, 30, 30, 0])
    })

    it('reach a listener that was added late, from then on', async () => {
      const pool = await fixture.open()
      await pool.query('select 1')
      const seen = record(pool)
      await pool.query('select 1')
      expect(seen.map(([name]) => name)).toEqual(['acquire', 'release'])
    })

    it('no longer reach a listener that was removed', async () => {
      const pool = await fixture.open()
      let calls = 0
      const listener = (): void => void (calls += 1)
      pool.on('acquire', listener)
      await pool.query('select 1')
      pool.off('acquire', listener)
      await pool.query('select 1')
      expect(calls).toBe(1)
      pool.on('acquire', listener)
      await pool.query('select 1')
      expect(calls).toBe(2)
      pool.removeAllListeners('acquire')
      await pool.query('select 1')
      expect(calls).toBe(2)
    })

    it('reach once-listeners once and prepended ones first', async () => {
      const pool = await fixture.open()
      const order: string[] = []
      pool.on('acquire', () => order.push('on'))
      pool.once('acquire', () => order.push('once'))
      pool.prependListener('acquire', () => order.push('prepended'))
      await pool.query('select 1')
      await pool.query('select 1')
      expect(order).toEqual(['prepended', 'on', 'once', 'prepended', 'on'])
    })

    it('reach each of several listeners, with the pool as receiver', async () => {
      const pool = await fixture.open()
      const receivers: unknown[] = []
      const listener = function (this: unknown): void {
        receivers.push(this)
      }
      expect(pool.on('connect', listener)).toBe(pool)
      pool.on('connect', listener)
      await pool.query('select 1')
      expect(receivers).toEqual([pool, pool])
    })

    it('show the listeners of the application and no others', async () => {
      const pool = await fixture.open()
      const listener = (): void => undefined
      expect(names.map((name) => pool.listenerCount(name))).toEqual([0, 0, 0, 0, 0])
      pool.on('remove', listener)
      expect(pool.listeners('remove')).toEqual([listener])
      expect(pool.listenerCount('remove')).toBe(1)
    })

    it('carry events of the application too', async () => {
      const pool = await fixture.open()
      const heard = once(pool, 'of our own')
      pool.emit('of our own', 1, 2)
      expect(await heard).toEqual([1, 2])
    })
  })

  describe('the error of an idle client', () => {
    async function killIdle(pool: pg.Pool): Promise<[error: Error & { client?: unknown }, client: unknown]> {
      const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid')
      const failed = once(pool, 'error')
      await fixture.terminate(rows[0]?.pid ?? 0)
      return (await failed) as [Error, unknown]
    }

    it('is emitted on the pool with what the server said, and with the client', async () => {
      const pool = await fixture.open()
      const connected = once(pool, 'connect')
      const [error, client] = await killIdle(pool)
      expect(error).toMatchObject({ code: '57P01', severity: 'FATAL' })
      expect([client]).toEqual(await connected)
      expect(error.client).toBe(client)
    })

    it('removes the client, once, and the next query has a new one', async () => {
      const pool = await fixture.open()
      const seen = record(pool)
      const removed = eventOf(pool, 'remove')
      await killIdle(pool)
      await removed
      expect([pool.totalCount, pool.idleCount]).toEqual([0, 0])
      expect((await pool.query('select 1 as n')).rows).toEqual([{ n: 1 }])
      const count = (wanted: string): number => seen.filter(([name]) => name === wanted).length
      expect([count('error'), count('remove'), count('connect')]).toEqual([1, 1, 2])
    })

    it('is emitted for each of several', async () => {
      const pool = await fixture.open({ max: 3 })
      const clients = await Promise.all([pool.connect(), pool.connect(), pool.connect()])
      for (const client of clients) client.release()
      const all = new Promise<unknown[]>((resolve) => {
        const failed: unknown[] = []
        pool.on('error', (_error, client) => {
          if (failed.push(client) === 3) resolve(failed)
        })
      })
      await fixture.observe(
        `select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid()
            and backend_type = 'client backend'`,
      )
      expect(new Set(await all)).toEqual(new Set(clients))
      expect(pool.totalCount).toBe(0)
    })

    it('is the error of the client, not of the pool, while the client is out', async () => {
      const pool = await fixture.open()
      let poolErrors = 0
      pool.on('error', () => (poolErrors += 1))
      const client = await pool.connect()
      const lost = lossOf(client)
      await fixture.observe(`select pg_terminate_backend($1)`, [
        (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows[0]?.pid,
      ])
      const error = await lost
      expect(error).toMatchObject({ code: '57P01' })
      client.release(error)
      expect(poolErrors).toBe(0)
    })
  })
}
