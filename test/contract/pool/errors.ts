// Contract: errors of the database reach the caller untouched, and show where the caller asked.
import { once } from 'node:events'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import type { Fixture } from './fixture.js'
import { lossOf, reasonOf } from './turns.js'

const cases = [
  ['a syntax error', 'selec 1', { code: '42601', position: '1', severity: 'ERROR' }],
  ['an unknown table', 'select 1 from nowhere', { code: '42P01', position: '15' }],
  ['an unknown column', 'select nothing from people', { code: '42703', position: '8' }],
  ['a division by zero', 'select 1/0', { code: '22012', routine: 'int4div' }],
  ['a text that is no number', `select 'seven'::int`, { code: '22P02' }],
  ['a number out of range', 'select 3000000000::int', { code: '22003' }],
  [
    'a unique violation',
    `insert into people (id, email) values (2, 'first@example.org')`,
    { code: '23505', constraint: 'people_email_key', table: 'people', schema: 'public' },
  ],
  [
    'a NOT NULL violation',
    'insert into people (id, name) values (3, null)',
    { code: '23502', column: 'name' },
  ],
  [
    'a check violation',
    'insert into people (id, age) values (4, -1)',
    { code: '23514', constraint: 'people_age_check' },
  ],
  [
    'a foreign key violation',
    'insert into people (id, friend) values (5, 999)',
    { code: '23503', constraint: 'people_friend_fkey', detail: expect.stringContaining('999') as unknown },
  ],
  [
    'an error the application raises',
    `do $$ begin raise exception 'told so' using errcode = 'AB123', detail = 'why', hint = 'do not'; end $$`,
    {
      code: 'AB123',
      message: 'told so',
      detail: 'why',
      hint: 'do not',
      where: expect.any(String) as unknown,
    },
  ],
  ['a write in a read-only transaction', 'begin read only; delete from log', { code: '25006' }],
] as const

export function errorsContract(fixture: Fixture): void {
  describe('errors of the database', () => {
    it.each(cases)('%s is the same as from a bare client, field by field', async (_what, text, expected) => {
      const bare = new pg.Client(fixture.config())
      await bare.connect()
      const original = await reasonOf(bare.query(text))
      await bare.end()
      const pool = await fixture.open()
      const client = await pool.connect()
      const [byPool, byClient, byCallback] = [
        await reasonOf(pool.query(text)),
        await reasonOf(client.query(text)),
        await new Promise<unknown>((resolve) => {
          pool.query(text, (err) => resolve(err))
        }),
      ]
      client.release(true)
      expect(byPool).toMatchObject(expected)
      for (const reason of [byPool, byClient, byCallback]) {
        expect(reason).toBeInstanceOf(pg.DatabaseError)
        expect(fieldsOf(reason)).toEqual(fieldsOf(original))
      }
    })

    it('show the file of the caller in their stack, from query, connect and a client', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      const wrong = await fixture.open({ password: 'not the password' })
      for (const reason of [
        await reasonOf(pool.query('select 1/0')),
        await reasonOf(client.query('select 1/0')),
        await reasonOf(wrong.connect()),
        await reasonOf(wrong.query('select 1')),
      ]) {
        expect(reason.stack).toContain('contract/pool/errors.ts')
      }
      client.release()
    })

    it('are given for each of many failing at the same time', async () => {
      const pool = await fixture.open({ max: 4 })
      const reasons = await Promise.all(
        Array.from({ length: 40 }, (_unused, n) => reasonOf(pool.query(`select ${n} from nowhere_${n}`))),
      )
      expect(reasons.map(({ message }) => message)).toEqual(
        Array.from({ length: 40 }, (_unused, n) => `relation "nowhere_${n}" does not exist`),
      )
      expect([pool.totalCount, pool.waitingCount]).toEqual([0, 0])
    })
  })

  describe('a connection that is killed in the middle', () => {
    it('rejects the query of the pool with what the server said, and the pool goes on', async () => {
      const pool = await fixture.open()
      const acquired = once(pool, 'acquire')
      const failing = reasonOf(pool.query('select pg_sleep(10)'))
      const [client] = (await acquired) as [pg.PoolClient & { processID: number }]
      await fixture.terminate(client.processID)
      expect(await failing).toMatchObject({ code: '57P01', severity: 'FATAL' })
      expect(pool.totalCount).toBe(0)
      expect((await pool.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    })

    it('calls back once', async () => {
      const pool = await fixture.open()
      const acquired = once(pool, 'acquire')
      const calls: unknown[] = []
      const called = new Promise<void>((resolve) => {
        pool.query('select pg_sleep(10)', (err) => {
          calls.push(err)
          resolve()
        })
      })
      const [client] = (await acquired) as [pg.PoolClient & { processID: number }]
      await fixture.terminate(client.processID)
      await called
      await pool.query('select 1')
      expect(calls).toMatchObject([{ code: '57P01' }])
    })

    it('rejects what a client that is out had asked, and all it is asked later', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      const lost = lossOf(client)
      const [{ pid } = { pid: 0 }] = (await client.query<{ pid: number }>('select pg_backend_pid() as pid'))
        .rows
      const asked = [reasonOf(client.query('select pg_sleep(10)')), reasonOf(client.query('select 1'))]
      await fixture.terminate(pid)
      const [first, second] = await Promise.all(asked)
      expect(first).toMatchObject({ code: '57P01' })
      expect(second?.message).toMatch(/^Connection terminated unexpectedly$|ECONNRESET|EPIPE/)
      await lost
      expect((await reasonOf(client.query('select 1'))).message).toBe(
        'Client has encountered a connection error and is not queryable',
      )
      client.release()
      expect(pool.totalCount).toBe(0)
    })

    it('answers a query that was cancelled with 57014 and keeps nothing of it', async () => {
      const pool = await fixture.open()
      const acquired = once(pool, 'acquire')
      const failing = reasonOf(pool.query('select pg_sleep(10)'))
      const [client] = (await acquired) as [pg.PoolClient & { processID: number }]
      // The cancel is lost when it comes before the statement: wait until the server says it runs.
      for (;;) {
        const [row] = await fixture.observe<{ running: boolean }>(
          `select state = 'active' and query like '%pg_sleep%' as running from pg_stat_activity where pid = $1`,
          [client.processID],
        )
        if (row?.running === true) break
      }
      await fixture.observe('select pg_cancel_backend($1)', [client.processID])
      expect(await failing).toMatchObject({ code: '57014' })
      expect(pool.totalCount).toBe(0)
    })
  })
}

/** Everything an error carries but its stack, with its class and its message. */
function fieldsOf(error: unknown): object {
  if (!(error instanceof Error)) throw new TypeError('no Error', { cause: error })
  const { message, name, constructor } = error
  return Object.assign({}, error, { message, name, class: constructor.name })
}
