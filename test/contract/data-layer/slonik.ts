// Slonik, as the data layer contract knows it.
import { PassThrough } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import {
  createPool,
  sql,
  type ClientConfigurationInput,
  type CommonQueryMethods,
  type DatabasePool,
  type QuerySqlToken,
} from 'slonik'
import { z } from 'zod'
import { openSlonik } from '../../../examples/slonik.js'
import { theRow } from './pg-session.js'
import type { DataLayer, Executor, OpenOptions, Row, Session, Transaction } from './subject.js'

export const slonikLayer: DataLayer = {
  name: 'Slonik',
  packages: ['slonik', 'pg-query-stream'],
  handIn: 'driverFactory: slonikDriver(slonik, cutover, QueryStream)',
  special: 'its own pool, of clients that move; the address of its URL is not looked at',
  example: 'examples/slonik.ts',
  acquireTimeoutOf: 'none',
  lacks: ['cancelAfter', 'migrate'],
  openStock: async (url, options) => sessionOf(await createPool(url, optionsOf(options))),
  openFacade: async (cutover, _, options) => sessionOf(await openSlonik(cutover, optionsOf(options))),
  sqlState(error) {
    if (!(error instanceof Error)) return undefined
    // The one class that keeps nothing of the database's error but its message.
    if (error.constructor.name === 'InvalidInputError') return '22P02'
    const { cause = error } = error
    return cause instanceof Error && 'code' in cause ? String(cause.code) : undefined
  },
}

const optionsOf = ({ max }: OpenOptions): ClientConfigurationInput => ({
  maximumPoolSize: max,
  // The values as pg gives them, so that they can be written back.
  typeParsers: [],
})

type Query = QuerySqlToken<z.ZodType<Row>>

const queryOf = (text: string, values: readonly unknown[] = []): Query =>
  ({ parser: z.record(z.unknown()), sql: text, type: 'SLONIK_TOKEN_QUERY', values }) as unknown as Query

function executorOf(connection: Pick<CommonQueryMethods, 'any' | 'oneFirst'>): Executor {
  return {
    query: (text, values) => connection.any(queryOf(text, values)),
    addNote: async (text) =>
      Number(await connection.oneFirst(sql.unsafe`insert into note (text) values (${text}) returning id`)),
  }
}

function transactionOf(connection: CommonQueryMethods): Transaction {
  return {
    ...executorOf(connection),
    savepoint: (work) => connection.transaction((inner) => work(executorOf(inner))),
  }
}

function sessionOf(pool: DatabasePool): Session {
  return {
    ...executorOf(pool),
    notes: async () => [
      ...(await pool.anyFirst(sql.type(z.object({ text: z.string() }))`select text from note order by id`)),
    ],
    readSpecimen: async (id) => theRow(await pool.any(queryOf('select * from specimen where id = $1', [id]))),
    async writeSpecimen(row, id) {
      const entries = Object.entries({ ...row, id })
      const places = entries.map((_, index) => `$${index + 1}`).join(', ')
      const names = entries.map(([name]) => name).join(', ')
      await pool.query(
        queryOf(
          `insert into specimen (${names}) values (${places})`,
          entries.map(([, value]) => value),
        ),
      )
    },
    transaction: (work, isolation) =>
      pool.transaction(async (connection) => {
        if (isolation) await connection.query(queryOf(`set transaction isolation level ${isolation}`))
        return work(transactionOf(connection))
      }),
    stream: (text) => streamOf(pool, text),
    close: () => pool.end(),
  }
}

async function* streamOf(pool: DatabasePool, text: string): AsyncIterable<Row> {
  const rows = new PassThrough({ objectMode: true })
  const piped: Promise<void>[] = []
  const ended = pool.stream(queryOf(text), (stream) => {
    piped.push(pipeline(stream, rows))
  })
  // Before the first row there is no stream that could carry the error.
  const failed = ended.catch((error: Error) => void rows.destroy(error))
  try {
    for await (const { data } of rows as AsyncIterable<{ data: Row }>) yield data
  } finally {
    rows.destroy()
    await Promise.allSettled([failed, ...piped])
  }
}
