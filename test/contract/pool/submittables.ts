// Contract: objects that submit themselves (cursors, streams, COPY, hand-made ones) on a client and on the pool.
import { once } from 'node:events'
import { text as textOf } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import pg from 'pg'
import * as copy from 'pg-copy-streams'
import Cursor from 'pg-cursor'
import QueryStream from 'pg-query-stream'
import { describe, expect, it } from 'vitest'
import type { Fixture } from './fixture.js'
import { reasonOf, stateOf } from './turns.js'

/** The least that pg's client takes for a query: it asks for one value and keeps what comes. */
class HandMade implements pg.Submittable {
  readonly events: string[] = []
  callback: ((err: Error | null, value?: string) => void) | undefined
  readonly #text: string
  #value: string | undefined

  constructor(text: string) {
    this.#text = text
  }

  submit(connection: pg.Connection): void {
    this.events.push('submit')
    connection.query(this.#text)
  }

  handleRowDescription(): void {
    this.events.push('fields')
  }

  handleDataRow(message: { fields: unknown[] }): void {
    this.events.push('row')
    this.#value = String(message.fields[0])
  }

  handleCommandComplete(): void {
    this.events.push('complete')
  }

  handleReadyForQuery(): void {
    this.events.push('ready')
    this.callback?.(null, this.#value)
  }

  handleError(err: Error): void {
    this.events.push('error')
    this.callback?.(err)
  }
}

export function submittablesContract(fixture: Fixture): void {
  describe('submittables on a client', () => {
    it('reads a cursor page by page, and uses the client again after it is closed', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      const cursor = client.query(new Cursor<{ n: number }>('select n from generate_series(1, 10) n'))
      expect((await cursor.read(3)).map(({ n }) => n)).toEqual([1, 2, 3])
      expect((await cursor.read(4)).map(({ n }) => n)).toEqual([4, 5, 6, 7])
      await cursor.close()
      expect((await client.query('select side from marker')).rows).toEqual([{ side: 'old' }])
      client.release()
    })

    it('rejects the read of a cursor whose text is wrong, and keeps the client usable', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      const cursor = client.query(new Cursor('select nothing from nowhere'))
      expect(await reasonOf(cursor.read(1))).toMatchObject({ code: '42P01' })
      expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }])
      client.release()
    })

    it('streams more rows than it buffers', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      const stream = client.query(
        new QueryStream('select n from generate_series(1, $1) n', [5000], { batchSize: 100 }),
      )
      let sum = 0
      for await (const row of stream as AsyncIterable<{ n: number }>) sum += row.n
      expect(sum).toBe((5000 * 5001) / 2)
      client.release()
    })

    it('stops a stream that is destroyed half way, and uses the client again', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      const stream = client.query(
        new QueryStream('select n from generate_series(1, 100000) n', [], { batchSize: 10 }),
      )
      for await (const row of stream as AsyncIterable<{ n: number }>) if (row.n === 15) break
      expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }])
      client.release()
    })

    it('gives the error of the server to the reader of a stream', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      const stream = client.query(new QueryStream('select 10 / (5 - n) from generate_series(1, 9) n', []))
      expect(await reasonOf(stream.toArray())).toMatchObject({ code: '22012' })
      client.release(true)
    })

    it('copies rows into a table', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      await client.query('create temp table copied (n int, word text)')
      const sink = client.query(copy.from('copy copied from stdin'))
      await pipeline(Readable.from(['1\tone\n', '2\ttwo\n', '3\t\\N\n']), sink)
      expect(sink.rowCount).toBe(3)
      const { rows } = await client.query({ text: 'select n, word from copied order by n', rowMode: 'array' })
      expect(rows).toEqual([
        [1, 'one'],
        [2, 'two'],
        [3, null],
      ])
      client.release()
    })

    it('fails the copy of a row that does not fit, and keeps the client usable', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      await client.query('create temp table copied (n int)')
      const sink = client.query(copy.from('copy copied from stdin'))
      expect(await reasonOf(pipeline(Readable.from(['seven\n']), sink))).toMatchObject({ code: '22P02' })
      expect((await client.query('select count(*)::int as n from copied')).rows).toEqual([{ n: 0 }])
      client.release()
    })

    it('copies a query out', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      const source = client.query(copy.to(`copy (select n, n * n from generate_series(1, 3) n) to stdout`))
      expect(await textOf(source)).toBe('1\t1\n2\t4\n3\t9\n')
      expect((await client.query('select 1 as n')).rows).toEqual([{ n: 1 }])
      client.release()
    })

    it('returns the very object that was given', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      const own = new HandMade('select 1')
      const answered = new Promise<void>((resolve) => {
        own.callback = () => resolve()
      })
      expect(client.query(own)).toBe(own)
      await answered
      expect(own.events).toEqual(['submit', 'fields', 'row', 'complete', 'ready'])
      client.release()
    })

    it('emits the rows of a Query object one by one', async () => {
      const pool = await fixture.open()
      const client = await pool.connect()
      const query = client.query(new pg.Query<{ n: number }>('select n from generate_series(1, 3) n'))
      const rows: number[] = []
      query.on('row', (row) => rows.push(row.n))
      await once(query, 'end')
      expect(rows).toEqual([1, 2, 3])
      client.release()
    })
  })

  describe('submittables on the pool', () => {
    it('runs a hand-made one, calls back through it and takes the client back', async () => {
      const pool = await fixture.open()
      const own = new HandMade('select side from marker')
      expect(await (pool.query(own) as unknown)).toBe('old')
      expect([pool.totalCount, pool.idleCount]).toEqual([1, 1])
    })

    it('rejects with the error of a hand-made one and throws the client away', async () => {
      const pool = await fixture.open()
      const own = new HandMade('select 1/0')
      expect(await reasonOf(pool.query(own) as unknown as Promise<unknown>)).toMatchObject({ code: '22012' })
      expect(own.events.at(-1)).toBe('error')
      expect(pool.totalCount).toBe(0)
    })

    it('runs a Query object', async () => {
      const pool = await fixture.open()
      const result: unknown = await (pool.query(new pg.Query('select $1::int as n', [5])) as unknown)
      expect(result).toMatchObject({ rows: [{ n: 5 }] })
      expect(pool.idleCount).toBe(1)
    })

    it('takes the client back when a stream has been read to its end', async () => {
      const pool = await fixture.open()
      const stream = new QueryStream('select n from generate_series(1, 250) n', [])
      const finished = pool.query(stream) as unknown as Promise<unknown>
      const released = once(pool, 'release')
      expect(await stream.toArray()).toHaveLength(250)
      await Promise.all([finished, released])
      expect([pool.totalCount, pool.idleCount]).toEqual([1, 1])
    })

    it('submits a cursor, whose client stays out since a cursor never calls back', async () => {
      const pool = await fixture.open()
      const acquired = once(pool, 'acquire')
      const cursor = new Cursor<{ n: number }>('select n from generate_series(1, 3) n')
      const answer = pool.query(cursor) as unknown as Promise<unknown>
      const [client] = (await acquired) as [pg.PoolClient]
      expect((await cursor.read(2)).map(({ n }) => n)).toEqual([1, 2])
      await cursor.close()
      expect(await stateOf(answer)).toBe('pending')
      expect([pool.totalCount, pool.idleCount]).toEqual([1, 0])
      client.release()
    })

    it('waits for its turn like any other query', async () => {
      const pool = await fixture.open({ max: 1 })
      const client = await pool.connect()
      const own = new HandMade('select 9')
      const answer = pool.query(own) as unknown as Promise<unknown>
      expect(pool.waitingCount).toBe(1)
      expect(own.events).toEqual([])
      client.release()
      expect(await answer).toBe('9')
    })
  })
}
