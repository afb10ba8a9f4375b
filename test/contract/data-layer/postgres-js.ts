// postgres.js, as the data layer contract knows it.
import postgres from 'postgres'
import { openSql } from '../../../examples/postgres-js.js'
import type { DataLayer, Executor, OpenOptions, Row, Session, Transaction } from './subject.js'
import { theRow } from './pg-session.js'

export const postgresJsLayer: DataLayer = {
  name: 'postgres.js',
  packages: ['postgres'],
  handIn: 'postgresOver(cutover, (side) => postgres(urls[side], options))',
  special:
    'connections of its own for each side; no `subscribe` and no `largeObject`; ' +
    '`listen` gives no `state`; connections are not seen meeting a fence',
  example: 'examples/postgres-js.ts',
  acquireTimeoutOf: 'none',
  pins: true,
  readsWait: true,
  lacks: ['migrate', 'killedAtWork'],
  openStock: (url, options) => Promise.resolve(sessionOf(postgres(url, optionsOf(options)))),
  openFacade: (cutover, urls, options) =>
    Promise.resolve(sessionOf(openSql(cutover, urls, optionsOf(options)))),
  sqlState: (error) => (error instanceof Error && 'code' in error ? String(error.code) : undefined),
}

const optionsOf = ({ max }: OpenOptions) => ({ max, onnotice: () => undefined })

type Value = postgres.ParameterOrJSON<never>

function executorOf(sql: postgres.ISql): Executor {
  return {
    query: async (text, values) => [...(await sql.unsafe<Row[]>(text, values as Value[] | undefined))],
    addNote: async (text) =>
      Number(theRow(await sql<Row[]>`insert into note ${sql({ text })} returning id`)['id']),
  }
}

function transactionOf(sql: postgres.TransactionSql): Transaction {
  return {
    ...executorOf(sql),
    savepoint: async <T>(work: (tx: Executor) => Promise<T>) =>
      (await sql.savepoint((inner) => work(executorOf(inner)))) as T,
  }
}

function sessionOf(sql: postgres.Sql): Session {
  return {
    ...executorOf(sql),
    notes: async () =>
      (await sql<{ text: string }[]>`select text from note order by id`).map(({ text }) => text),
    // It reads a null in an array as the text NULL, so whoever has some asks for JSON.
    readSpecimen: async (id) =>
      theRow(await sql<Row[]>`select *, to_json(tags) as tags from specimen where id = ${id}`),
    async writeSpecimen(row, id) {
      await sql`insert into specimen ${sql({ ...row, id })}`
    },
    transaction: async <T>(work: (tx: Transaction) => Promise<T>, isolation?: string) =>
      (await sql.begin(isolation ? `isolation level ${isolation}` : '', (tx) =>
        work(transactionOf(tx)),
      )) as T,
    async *stream(text) {
      for await (const rows of sql.unsafe<Row[]>(text).cursor(100)) yield* rows
    },
    async cancelAfter(text, millis) {
      // Else the time would run while a connection is opened.
      const reserved = await sql.reserve()
      const query = reserved.unsafe(text)
      const timer = setTimeout(() => query.cancel(), millis)
      try {
        return await query
      } finally {
        clearTimeout(timer)
        reserved.release()
      }
    },
    close: () => sql.end({ timeout: 5 }),
  }
}
