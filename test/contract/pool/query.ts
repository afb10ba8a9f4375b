// Contract: `pool.query` in each of its forms, and what it leaves behind.
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import type { Fixture } from './fixture.js'
import { reasonOf } from './turns.js'

interface Answer {
  err: Error | undefined
  result: pg.QueryResult | undefined
}

export function queryContract(fixture: Fixture): void {
  describe('query', () => {
    it('takes a text', async () => {
      const pool = await fixture.open()
      const { rows } = await pool.query('select side from marker')
      expect(rows).toEqual([{ side: 'old' }])
    })

    it('takes a text and values', async () => {
      const pool = await fixture.open()
      const { rows } = await pool.query('select $1::int + $2::int as sum', [40, 2])
      expect(rows).toEqual([{ sum: 42 }])
    })

    it('takes a config object', async () => {
      const pool = await fixture.open()
      const { rows } = await pool.query({ text: 'select $1::text as word', values: ['facade'] })
      expect(rows).toEqual([{ word: 'facade' }])
    })

    it('takes a config object with the values beside it', async () => {
      const pool = await fixture.open()
      const { rows } = await pool.query({ text: 'select $1::text as word' }, ['beside'])
      expect(rows).toEqual([{ word: 'beside' }])
    })

    it('answers with rows, their number, the command and the fields', async () => {
      const pool = await fixture.open()
      const result = await pool.query(`select n, 'x' as letter from generate_series(1, 3) n`)
      expect(result).toBeInstanceOf(pg.Result)
      expect(result.command).toBe('SELECT')
      expect(result.rowCount).toBe(3)
      expect(result.fields.map(({ name, dataTypeID }) => [name, dataTypeID])).toEqual([
        ['n', 23],
        ['letter', 25],
      ])
    })

    it('gives rows as arrays on rowMode array', async () => {
      const pool = await fixture.open()
      const { rows } = await pool.query({ text: 'select 1 as same, 2 as same', rowMode: 'array' })
      expect(rows).toEqual([[1, 2]])
    })

    it('answers several statements with an array of results', async () => {
      const pool = await fixture.open()
      const results: unknown = await pool.query('select 1 as one; select 2 as two')
      expect(results).toMatchObject([{ rows: [{ one: 1 }] }, { rows: [{ two: 2 }] }])
    })

    it('answers an empty text with an empty result', async () => {
      const pool = await fixture.open()
      const { rows, command } = await pool.query('')
      expect(rows).toEqual([])
      expect(command).toBeNull()
    })

    it('prepares a named statement once for a connection and runs it again by its name', async () => {
      const pool = await fixture.open({ max: 1 })
      const named = { name: 'doubled', text: 'select $1::int * 2 as twice' }
      const first = await pool.query({ ...named, values: [2] })
      const second = await pool.query({ name: 'doubled', values: [21], text: named.text })
      expect([...first.rows, ...second.rows]).toEqual([{ twice: 4 }, { twice: 42 }])
      const { rows } = await pool.query('select name, statement from pg_prepared_statements')
      expect(rows).toEqual([{ name: 'doubled', statement: named.text }])
    })

    it('refuses a name that stands for another text on that connection', async () => {
      const pool = await fixture.open({ max: 1 })
      await pool.query({ name: 'taken', text: 'select 1' })
      const reason = await reasonOf(pool.query({ name: 'taken', text: 'select 2' }))
      expect(reason.message).toBe(
        `Prepared statements must be unique - 'taken' was used for a different statement`,
      )
    })

    it('parses with the parsers given for one query', async () => {
      const pool = await fixture.open()
      const types: pg.CustomTypesConfig = { getTypeParser: () => (value: string) => `parsed ${value}` }
      const parsed = await pool.query({ text: 'select 7 as n', types })
      const plain = await pool.query('select 7 as n')
      expect([...parsed.rows, ...plain.rows]).toEqual([{ n: 'parsed 7' }, { n: 7 }])
    })

    it('parses with the parsers given for the pool', async () => {
      const types: pg.CustomTypesConfig = { getTypeParser: () => (value: string) => `pool ${value}` }
      const pool = await fixture.open({ types })
      const { rows } = await pool.query('select 7 as n')
      expect(rows).toEqual([{ n: 'pool 7' }])
    })

    it('takes a callback as second argument', async () => {
      const pool = await fixture.open()
      const { err, result } = await new Promise<Answer>((resolve) => {
        pool.query('select 1 as n', (err, result) => resolve({ err, result }))
      })
      expect(err).toBeUndefined()
      expect(result?.rows).toEqual([{ n: 1 }])
    })

    it('takes a callback as third argument', async () => {
      const pool = await fixture.open()
      const { err, result } = await new Promise<Answer>((resolve) => {
        pool.query('select $1::int as n', [2], (err, result) => resolve({ err, result }))
      })
      expect(err).toBeUndefined()
      expect(result?.rows).toEqual([{ n: 2 }])
    })

    it('takes a callback after a config object', async () => {
      const pool = await fixture.open()
      const { result } = await new Promise<Answer>((resolve) => {
        pool.query({ text: 'select $1::int as n', values: [3] }, (err, result) => resolve({ err, result }))
      })
      expect(result?.rows).toEqual([{ n: 3 }])
    })

    it('returns undefined when it has a callback, and calls it once with the error alone on failure', async () => {
      const pool = await fixture.open()
      const calls: unknown[][] = []
      await new Promise<void>((resolve) => {
        const returned: unknown = pool.query('select no_such_column', (...args: unknown[]) => {
          calls.push(args)
          resolve()
        })
        expect(returned).toBeUndefined()
      })
      await pool.query('select 1')
      expect(calls).toHaveLength(1)
      expect(calls[0]).toHaveLength(1)
      expect(calls[0]?.[0]).toMatchObject({ code: '42703' })
    })

    it('returns a promise when the callback is undefined', async () => {
      const pool = await fixture.open()
      const query = pool.query.bind(pool) as (...args: unknown[]) => unknown
      expect(await query('select $1::int as n', [1], undefined)).toMatchObject({ rows: [{ n: 1 }] })
      expect(await query('select 2 as n', undefined, undefined)).toMatchObject({ rows: [{ n: 2 }] })
      expect(await query('select 3 as n', undefined)).toMatchObject({ rows: [{ n: 3 }] })
    })

    it('has given the client back before the callback runs', async () => {
      const pool = await fixture.open()
      const counts = await new Promise<number[]>((resolve) => {
        pool.query('select 1', () => resolve([pool.totalCount, pool.idleCount]))
      })
      expect(counts).toEqual([1, 1])
    })

    it('leaves no listener behind on the client', async () => {
      const pool = await fixture.open({ max: 1 })
      const client = await pool.connect()
      client.release()
      const count = (): number[] => ['error', 'end', 'drain'].map((name) => client.listenerCount(name))
      const before = count()
      for (let n = 0; n < 5; n += 1) await pool.query('select 1')
      expect(count()).toEqual(before)
      expect([pool.totalCount, pool.idleCount]).toEqual([1, 1])
    })

    it('throws its connection away on any error of the server', async () => {
      const pool = await fixture.open()
      await pool.query('select 1')
      await reasonOf(pool.query('select 1/0'))
      expect([pool.totalCount, pool.idleCount]).toEqual([0, 0])
      expect((await pool.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    })

    it('answers a failing and an unlike query at the same time, each its own way', async () => {
      const pool = await fixture.open({ max: 2 })
      const [good, bad] = await Promise.allSettled([pool.query('select 1 as n'), pool.query('select 1/0')])
      expect(good).toMatchObject({ status: 'fulfilled', value: { rows: [{ n: 1 }] } })
      expect(bad).toMatchObject({ status: 'rejected', reason: { code: '22012' } })
    })

    it('runs queries in the order of their calls when there is one connection', async () => {
      const pool = await fixture.open({ max: 1 })
      await pool.query('create temp table seen (n int, at serial)')
      await Promise.all(
        Array.from({ length: 30 }, (_unused, n) => pool.query('insert into seen (n) values ($1)', [n])),
      )
      const { rows } = await pool.query({ text: 'select n from seen order by at', rowMode: 'array' })
      expect(rows.flat()).toEqual(Array.from({ length: 30 }, (_unused, n) => n))
    })

    it('answers 200 queries at once over five connections, each caller with its own rows', async () => {
      const pool = await fixture.open({ max: 5 })
      let peak = 0
      const answers = await Promise.all(
        Array.from({ length: 200 }, async (_unused, n) => {
          const { rows } = await pool.query<{ n: number; pid: number }>(
            'select $1::int as n, pg_backend_pid() as pid',
            [n],
          )
          peak = Math.max(peak, pool.totalCount)
          return rows[0]
        }),
      )
      expect(answers.map((row) => row?.n)).toEqual(Array.from({ length: 200 }, (_unused, n) => n))
      expect(new Set(answers.map((row) => row?.pid)).size).toBe(5)
      expect(peak).toBe(5)
      expect([pool.totalCount, pool.idleCount, pool.waitingCount]).toEqual([5, 5, 0])
    })

    it('lets a callback ask the next query', async () => {
      const pool = await fixture.open({ max: 1 })
      const rows = await new Promise<unknown>((resolve) => {
        pool.query('select 1 as n', (_first, result) => {
          pool.query('select $1::int + 1 as n', [result.rows[0].n], (_second, next) => resolve(next.rows))
        })
      })
      expect(rows).toEqual([{ n: 2 }])
    })
  })
}
