// Contract: the functions and classes an application may hand in: onConnect, verify, log, Promise, Client.
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import type { Fixture } from './fixture.js'
import { reasonOf } from './turns.js'

/** @types/pg says that the hook returns nothing; pg-pool waits for what it returns. */
type AsyncOnConnect = NonNullable<pg.PoolConfig['onConnect']>

export function hooksContract(fixture: Fixture): void {
  describe('onConnect', () => {
    it('is called once for each new connection, with the client that is handed out', async () => {
      const seen: unknown[] = []
      const pool = await fixture.open({ onConnect: (client) => void seen.push(client) })
      const client = await pool.connect()
      client.release()
      await pool.query('select 1')
      expect(seen).toEqual([client])
    })

    it('is waited for before anybody has the client', async () => {
      const onConnect = (async (client: pg.ClientBase) => {
        await client.query(`set application_name = 'set by the hook'`)
        await client.query('select pg_sleep(0.02)')
      }) as AsyncOnConnect
      const pool = await fixture.open({ onConnect })
      const { rows } = await pool.query(`select current_setting('application_name') as name`)
      expect(rows).toEqual([{ name: 'set by the hook' }])
    })

    it('comes before the connect event', async () => {
      const order: string[] = []
      const pool = await fixture.open({ onConnect: () => void order.push('hook') })
      pool.on('connect', () => order.push('event'))
      await pool.query('select 1')
      expect(order).toEqual(['hook', 'event'])
    })

    it.each([
      ['rejects', (reason: Error) => Promise.reject(reason)],
      [
        'throws',
        (reason: Error) => {
          throw reason
        },
      ],
    ])('fails the checkout with its own error when it %s, and closes the connection', async (_how, fail) => {
      const reason = new Error('not this server')
      let calls = 0
      const onConnect = (() => {
        calls += 1
        return calls === 1 ? fail(reason) : undefined
      }) as AsyncOnConnect
      const pool = await fixture.open({ max: 1, onConnect })
      const failing = reasonOf(pool.connect())
      const waiting = pool.query('select 1 as n')
      expect(await failing).toBe(reason)
      expect((await waiting).rows).toEqual([{ n: 1 }])
      expect(pool.totalCount).toBe(1)
    })
  })

  describe('verify', () => {
    it('sees each new client before it is handed out, and none twice', async () => {
      const seen: unknown[] = []
      const pool = await fixture.open({
        verify: (client, done) => {
          seen.push(client)
          client.query('select 1', (err) => done(err))
        },
      })
      const client = await pool.connect()
      client.release()
      await pool.query('select 1')
      expect(seen).toEqual([client])
    })

    it('fails the checkout with its own error, and the client is removed', async () => {
      const reason = new Error('stale replica')
      const pool = await fixture.open({ verify: (_client, done) => done(reason) })
      expect(await reasonOf(pool.connect())).toBe(reason)
      expect(await reasonOf(pool.query('select 1'))).toBe(reason)
      expect([pool.totalCount, pool.idleCount]).toEqual([0, 0])
      await fixture.allGone()
    })
  })

  describe('log', () => {
    it('hears what the pool does, as texts', async () => {
      const heard: unknown[] = []
      const pool = await fixture.open({ log: (...messages: unknown[]) => void heard.push(messages[0]) })
      await pool.query('select 1')
      await pool.end()
      expect(heard).toEqual(
        expect.arrayContaining(['connecting new client', 'dispatching query', 'query dispatched', 'ending']),
      )
      expect(heard.every((message) => typeof message === 'string')).toBe(true)
    })
  })

  describe('Promise', () => {
    it('is the kind of promise that connect, query and end return', async () => {
      class OwnPromise<T> extends Promise<T> {}
      const pool = await fixture.open({ Promise: OwnPromise })
      const query = pool.query('select 1')
      const connect = pool.connect()
      expect(query).toBeInstanceOf(OwnPromise)
      expect(connect).toBeInstanceOf(OwnPromise)
      const [client] = await Promise.all([connect, query])
      client.release()
      const end = pool.end()
      expect(end).toBeInstanceOf(OwnPromise)
      await end
    })
  })

  describe('Client', () => {
    function expectShown(pool: pg.Pool, own: typeof pg.Client): void {
      const { Client } = pool as unknown as { readonly Client: typeof pg.Client }
      if (fixture.outcome('clientShown') === 'its own') expect(Client).toBe(own)
      else expect(Client.prototype).toBeInstanceOf(pg.Client)
    }

    it('is the class that the pool connects with, and that it shows', async () => {
      class Tagged extends pg.Client {
        readonly tag = 'ours'
      }
      const pool = await fixture.open({ Client: Tagged })
      expectShown(pool, Tagged)
      const client = await pool.connect()
      expect(client).toBeInstanceOf(Tagged)
      expect(client).toMatchObject({ tag: 'ours' })
      client.release()
    })

    it('is the one of pg by default', async () => {
      const pool = await fixture.open()
      expectShown(pool, pg.Client)
    })

    it('may change what a query does', async () => {
      const asked: unknown[] = []
      class Listening extends pg.Client {
        override query: pg.Client['query'] = (...args: unknown[]) => {
          asked.push(args[0])
          return Reflect.apply(pg.Client.prototype.query, this, args) as never
        }
      }
      const pool = await fixture.open({ Client: Listening })
      await pool.query('select 1')
      expect(asked).toEqual(['select 1'])
    })
  })
}
