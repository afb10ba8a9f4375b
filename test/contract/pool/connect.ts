// Contract: checking a client out, by promise and by callback, with and without free room.
import net from 'node:net'
import { once } from 'node:events'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import type { Fixture } from './fixture.js'
import { nextTurn, reasonOf, stateOf } from './turns.js'

interface Checkout {
  err: Error | undefined
  client: pg.PoolClient | undefined
  done: (release?: unknown) => void
}

function connectByCallback(pool: pg.Pool): Promise<Checkout> {
  return new Promise((resolve) => {
    pool.connect((err, client, done) => resolve({ err, client, done }))
  })
}

export function connectContract(fixture: Fixture): void {
  describe('connect', () => {
    it('resolves with a client that runs queries on the database of the pool', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      const { rows } = await client.query('select side, current_database() as database from marker')
      expect(rows).toEqual([{ side: 'old', database: fixture.config().database }])
      client.release()
    })

    it('hands out a real client of the Client class of the pool', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      expect(client).toBeInstanceOf(pg.Client)
      if (fixture.outcome('clientShown') === 'its own')
        expect(pool).toHaveProperty('Client', client.constructor)
      const [row] = (await client.query<{ pid: number }>('select pg_backend_pid() as pid')).rows
      expect(client).toHaveProperty('processID', row?.pid)
      client.release()
    })

    it('returns a promise without, and undefined with, a callback', async () => {
      const pool = await fixture.open()
      const promise = pool.connect()
      expect(promise).toBeInstanceOf(Promise)
      const client = await promise
      client.release()
      const calledBack = new Promise<void>((resolve) => {
        const returned: unknown = pool.connect((_err, _client, done) => {
          done()
          resolve()
        })
        expect(returned).toBeUndefined()
      })
      await calledBack
    })

    it('calls back with no error, the client and a function that returns it', async () => {
      const pool = await fixture.open()
      const { err, client, done } = await connectByCallback(pool)
      expect(err).toBeUndefined()
      expect(client).toBeInstanceOf(pg.Client)
      expect(done).toBe(client?.release)
      expect(pool.idleCount).toBe(0)
      done()
      expect(pool.idleCount).toBe(1)
    })

    it.each([true, new Error('broken by the caller')])(
      'throws the client away on done(%s)',
      async (reason) => {
        const pool = await fixture.open()
        const { done } = await connectByCallback(pool)
        done(reason)
        expect([pool.totalCount, pool.idleCount]).toEqual([0, 0])
        await once(pool, 'remove')
      },
    )

    it('never calls back in the turn of the call, not even with a client at hand', async () => {
      const pool = await fixture.open()
      await pool.query('select 1')
      let called = false
      const checkout = new Promise<void>((resolve) => {
        pool.connect((_err, _client, done) => {
          called = true
          done()
          resolve()
        })
      })
      expect(called).toBe(false)
      await checkout
    })

    it('gives the client that was returned last to the next caller', async () => {
      const pool = await fixture.open()
      const [first, second] = await Promise.all([pool.connect(), pool.connect()])
      second.release()
      first.release()
      const again = await pool.connect()
      expect(again).toBe(first)
      again.release()
    })

    it('opens a connection for each caller up to max, all at the same time', async () => {
      const pool = await fixture.open({ max: 4 })
      const checkouts = Promise.all(Array.from({ length: 4 }, () => pool.connect()))
      expect(pool.totalCount).toBe(4)
      const clients = await checkouts
      expect(new Set(clients).size).toBe(4)
      for (const client of clients) client.release()
    })

    it('makes the caller after max wait until a client comes back, and gives it that one', async () => {
      const pool = await fixture.open({ max: 1 })
      const client = await pool.connect()
      const waiting = pool.connect()
      expect(await stateOf(waiting)).toBe('pending')
      expect([pool.totalCount, pool.waitingCount]).toEqual([1, 1])
      client.release()
      expect(await waiting).toBe(client)
      client.release()
    })

    it('serves those who wait in the order they came, promises and callbacks alike', async () => {
      const pool = await fixture.open({ max: 1 })
      const holder = await pool.connect()
      const served: number[] = []
      const waiters = Array.from({ length: 20 }, async (_unused, index) => {
        if (index % 2 === 0) {
          const client = await pool.connect()
          served.push(index)
          client.release()
        } else {
          const { done } = await connectByCallback(pool)
          served.push(index)
          done()
        }
      })
      expect(pool.waitingCount).toBe(20)
      holder.release()
      await Promise.all(waiters)
      expect(served).toEqual(Array.from({ length: 20 }, (_unused, index) => index))
    })

    it('serves a thousand callers with two connections', async () => {
      const pool = await fixture.open({ max: 2 })
      const backends = new Set<unknown>()
      const callers = Array.from({ length: 1000 }, async () => {
        const client = await pool.connect()
        backends.add(client)
        await nextTurn()
        client.release()
      })
      await Promise.all(callers)
      expect(backends.size).toBe(2)
      expect([pool.totalCount, pool.idleCount, pool.waitingCount]).toEqual([2, 2, 0])
    })

    it.each([
      ['a wrong password', { password: 'not the password' }, '28P01'],
      ['an unknown database', { database: 'no_such_database' }, '3D000'],
      ['an unknown user', { user: 'nobody_of_that_name' }, '28P01'],
    ])('fails with what the server said about %s, and keeps nothing', async (_what, config, code) => {
      const pool = await fixture.open(config)
      const reason = await reasonOf(pool.connect())
      expect(reason).toBeInstanceOf(pg.DatabaseError)
      expect(reason).toMatchObject({ code, severity: 'FATAL' })
      const { err, client, done } = await connectByCallback(pool)
      expect(err).toMatchObject({ code })
      expect(client).toBeUndefined()
      expect(() => done()).not.toThrow()
      expect([pool.totalCount, pool.idleCount, pool.waitingCount]).toEqual([0, 0, 0])
    })

    it('fails with ECONNREFUSED when nobody listens', async () => {
      const server = net.createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as net.AddressInfo
      server.close()
      await once(server, 'close')
      const pool = await fixture.open({ port })
      expect(await reasonOf(pool.connect())).toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', port })
      expect(pool.totalCount).toBe(0)
    })

    it('fails when the other end hangs up before it has spoken', async () => {
      const server = net.createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as net.AddressInfo
      const pool = await fixture.open({ port })
      const reason = await reasonOf(pool.connect())
      expect(reason.message).toMatch(/^Connection terminated unexpectedly$|ECONNRESET|EPIPE/)
      expect(pool.totalCount).toBe(0)
      server.close()
    })

    it('goes on to the next who waits when a connection could not be made', async () => {
      const passwords = ['not the password', String(fixture.config().password)]
      const pool = await fixture.open({ max: 1, password: () => passwords.shift() ?? 'asked too often' })
      const failing = reasonOf(pool.connect())
      const waiting = pool.connect()
      expect(pool.waitingCount).toBe(1)
      expect(await failing).toMatchObject({ code: '28P01' })
      const client = await waiting
      expect([pool.totalCount, pool.waitingCount]).toEqual([1, 0])
      client.release()
    })

    it('asks a password function once for each connection', async () => {
      let asked = 0
      const pool = await fixture.open({
        password: () => {
          asked += 1
          return Promise.resolve(String(fixture.config().password))
        },
      })
      const clients = await Promise.all([pool.connect(), pool.connect()])
      for (const client of clients) client.release()
      await pool.query('select 1')
      expect(asked).toBe(2)
    })

    it('works when the function is handed around with its pool bound', async () => {
      const pool = await fixture.open()
      const connect: () => Promise<pg.PoolClient> = pool.connect.bind(pool)
      const client = await connect()
      client.release()
      expect(pool.idleCount).toBe(1)
    })
  })
}
