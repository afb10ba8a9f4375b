// Contract: arguments that `pool.query` cannot run are answered like any other error, and cost no connection for long.
import { describe, expect, it } from 'vitest'
import type { Fixture } from './fixture.js'
import { reasonOf } from './turns.js'

type LooseQuery = (...args: unknown[]) => Promise<unknown>

export function misuseContract(fixture: Fixture): void {
  describe('misuse of query', () => {
    it('rejects a function as the first argument', async () => {
      const pool = await fixture.open()
      const query = pool.query.bind(pool) as LooseQuery
      // With a function in the first place pg-pool takes it for the callback and returns nothing to await.
      const reason = await new Promise<unknown>((resolve) => void query(resolve))
      expect(reason).toMatchObject({
        message: 'Passing a function as the first parameter to pool.query is not supported',
      })
      expect(pool.totalCount).toBe(0)
    })

    it.each([null, undefined])('rejects %s as a query', async (nothing) => {
      const pool = await fixture.open()
      const reason = await reasonOf((pool.query.bind(pool) as LooseQuery)(nothing))
      expect(reason).toBeInstanceOf(TypeError)
      expect(reason.message).toBe('Client was passed a null or undefined query')
      expect(pool.totalCount - pool.idleCount).toBe(0)
    })

    it('gives the error of a missing query to a callback', async () => {
      const pool = await fixture.open()
      const query = pool.query.bind(pool) as LooseQuery
      const reason = await new Promise<unknown>((resolve) => void query(null, [], resolve))
      expect(reason).toBeInstanceOf(TypeError)
    })

    it('rejects values that are no array', async () => {
      const pool = await fixture.open()
      const reason = await reasonOf((pool.query.bind(pool) as LooseQuery)('select $1::int', 'seven'))
      expect(reason.message).toBe('Query values must be an array')
    })

    it('rejects a config without text and name', async () => {
      const pool = await fixture.open()
      const reason = await reasonOf((pool.query.bind(pool) as LooseQuery)({ values: [1] }))
      expect(reason.message).toBe(
        'A query must have either text or a name. Supplying neither is unsupported.',
      )
    })

    it('rejects with what the conversion of a value throws', async () => {
      const pool = await fixture.open()
      const thrown = new Error('this value has no form in Postgres')
      const value = {
        toPostgres() {
          throw thrown
        },
      }
      expect(await reasonOf(pool.query('select $1::text', [value]))).toBe(thrown)
      expect((await pool.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    })

    it('rejects with what a type parser throws, and goes on', async () => {
      const pool = await fixture.open()
      const thrown = new Error('unreadable')
      const types = {
        getTypeParser: () => () => {
          throw thrown
        },
      }
      expect(await reasonOf(pool.query({ text: 'select 1', types }))).toBe(thrown)
      expect((await pool.query('select 1 as n')).rows).toEqual([{ n: 1 }])
    })

    it('rejects when there are fewer values than the text asks for', async () => {
      const pool = await fixture.open()
      expect(await reasonOf(pool.query('select $1::int, $2::int', [1]))).toMatchObject({ code: '08P01' })
    })
  })
}
