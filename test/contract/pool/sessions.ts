// Contract: what belongs to one connection stays on it while a client is out: transactions, settings, notices, notifications.
import { once } from 'node:events'
import type pg from 'pg'
import { describe, expect, it } from 'vitest'
import type { Fixture } from './fixture.js'
import { reasonOf } from './turns.js'

export function sessionsContract(fixture: Fixture): void {
  describe('a client that is out', () => {
    async function withClient(work: (client: pg.PoolClient, pool: pg.Pool) => Promise<void>): Promise<void> {
      const pool = await fixture.open()
      const client = await pool.connect()
      try {
        await work(client, pool)
      } finally {
        client.release()
      }
    }

    const seen = (entry: string): Promise<unknown[]> =>
      fixture.observe('select entry from log where entry = $1', [entry])

    it('commits a transaction that nobody sees before', async () => {
      await withClient(async (client, pool) => {
        const entry = `${fixture.place.subject}: committed`
        await client.query('begin')
        await client.query('insert into log values ($1)', [entry])
        expect(client.getTransactionStatus()).toBe('T')
        expect((await pool.query('select 1 from log where entry = $1', [entry])).rows).toEqual([])
        expect(await seen(entry)).toEqual([])
        await client.query('commit')
        expect(client.getTransactionStatus()).toBe('I')
        expect(await seen(entry)).toEqual([{ entry }])
      })
    })

    it('rolls a transaction back', async () => {
      await withClient(async (client) => {
        const entry = `${fixture.place.subject}: rolled back`
        await client.query('begin')
        await client.query('insert into log values ($1)', [entry])
        await client.query('rollback')
        expect(await seen(entry)).toEqual([])
      })
    })

    it('goes back to a savepoint after an error, and says where it stands', async () => {
      await withClient(async (client) => {
        await client.query('begin')
        await client.query('savepoint before')
        const ready = once(client.connection, 'readyForQuery')
        await reasonOf(client.query('select 1/0'))
        await ready
        expect(client.getTransactionStatus()).toBe('E')
        expect(await reasonOf(client.query('select 1'))).toMatchObject({ code: '25P02' })
        await client.query('rollback to savepoint before')
        expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }])
        await client.query('commit')
      })
    })

    it('stays usable after an error outside a transaction', async () => {
      await withClient(async (client, pool) => {
        await reasonOf(client.query('select 1/0'))
        expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }])
        expect(pool.totalCount).toBe(1)
      })
    })

    it('keeps temporary tables, settings and prepared statements', async () => {
      await withClient(async (client) => {
        await client.query('create temp table mine (n int)')
        await client.query(`set work_mem = '2345kB'`)
        await client.query({ name: 'mine', text: 'select $1::int as n', values: [1] })
        await client.query('insert into mine values (1)')
        const { rows } = await client.query(
          `select (select count(*)::int from mine) as rows, current_setting('work_mem') as memory,
                  (select count(*)::int from pg_prepared_statements) as prepared`,
        )
        expect(rows).toEqual([{ rows: 1, memory: '2345kB', prepared: 1 }])
      })
    })

    it('answers queries that were not awaited in the order they were asked', async () => {
      await withClient(async (client) => {
        const order: number[] = []
        const answers = [3, 2, 1].map(async (n) => {
          await client.query('select pg_sleep($1)', [n / 500])
          order.push(n)
        })
        await Promise.all(answers)
        expect(order).toEqual([3, 2, 1])
      })
    })

    it('hears notifications with their payload', async () => {
      await withClient(async (client, pool) => {
        const channel = `news_${String(process.pid)}`
        await client.query(`listen ${channel}`)
        const heard = once(client, 'notification')
        await pool.query('select pg_notify($1, $2)', [channel, 'the payload'])
        expect(await heard).toMatchObject([{ channel, payload: 'the payload' }])
        await client.query(`unlisten ${channel}`)
      })
    })

    it('hears notices', async () => {
      await withClient(async (client) => {
        const heard = once(client, 'notice')
        await client.query(`do $$ begin raise notice 'look %', 'here'; end $$`)
        expect(await heard).toMatchObject([{ message: 'look here', severity: 'NOTICE' }])
      })
    })

    it('holds session locks until it lets them go', async () => {
      await withClient(async (client, pool) => {
        const free = async (): Promise<unknown> =>
          (await pool.query('select pg_try_advisory_xact_lock(4711) as free')).rows[0]
        await client.query('select pg_advisory_lock(4711)')
        expect(await free()).toEqual({ free: false })
        await client.query('select pg_advisory_unlock(4711)')
        expect(await free()).toEqual({ free: true })
      })
    })

    it('lets its holder ask the pool for another one', async () => {
      await withClient(async (client, pool) => {
        await client.query('begin')
        const [own] = (await client.query('select pg_backend_pid() as pid')).rows
        const [other] = (await pool.query('select pg_backend_pid() as pid')).rows
        expect(other).not.toEqual(own)
        await client.query('commit')
      })
    })
  })
}
