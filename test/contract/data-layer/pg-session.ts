// What a session is in plain SQL, for the libraries that hand out clients of pg and have nothing else.
import type { Pool, PoolClient } from 'pg'
import QueryStream from 'pg-query-stream'
import type { Executor, Isolation, Row, Session, Transaction } from './subject.js'

/** As pg itself and its clients run a text. */
type Query = (text: string, values?: readonly unknown[]) => Promise<readonly Row[]>

export type InTransaction = <T>(work: (client: PoolClient) => Promise<T>, begin?: string) => Promise<T>

const queryOf =
  (client: Pick<Pool | PoolClient, 'query'>): Query =>
  async (text, values) =>
    (await client.query<Row>(text, values && [...values])).rows

export function pgSession(pool: Pool, inTransaction: InTransaction, close: () => Promise<void>): Session {
  const query = queryOf(pool)
  return {
    ...executorOf(query),
    notes: async () => (await query('select text from note order by id')).map(({ text }) => String(text)),
    readSpecimen: async (id) => theRow(await query('select * from specimen where id = $1', [id])),
    async writeSpecimen(row, id) {
      const entries = Object.entries({ ...row, id })
      const names = entries.map(([name]) => name).join(', ')
      const places = entries.map((_, index) => `$${index + 1}`).join(', ')
      await query(
        `insert into specimen (${names}) values (${places})`,
        entries.map(([, value]) => value),
      )
    },
    transaction: (work, isolation) =>
      inTransaction((client) => work(transactionOf(queryOf(client))), beginOf(isolation)),
    stream: (text) => streamFrom(pool, text),
    cancelAfter: (text, millis) => cancelAfter(pool, text, millis),
    close,
  }
}

const beginOf = (isolation: Isolation | undefined): string | undefined =>
  isolation && `begin isolation level ${isolation}`

function executorOf(query: Query): Executor {
  return {
    query,
    addNote: async (text) =>
      Number(theRow(await query('insert into note (text) values ($1) returning id', [text]))['id']),
  }
}

function transactionOf(query: Query): Transaction {
  return {
    ...executorOf(query),
    async savepoint(work) {
      await query('savepoint here')
      try {
        return await work(executorOf(query))
      } catch (error) {
        await query('rollback to savepoint here')
        throw error
      }
    },
  }
}

async function* streamFrom(pool: Pool, text: string): AsyncIterable<Row> {
  const client = await pool.connect()
  try {
    yield* client.query(new QueryStream(text)) as AsyncIterable<Row>
  } finally {
    client.release()
  }
}

async function cancelAfter(pool: Pool, text: string, millis: number): Promise<unknown> {
  const client = await pool.connect()
  const { processID } = client as PoolClient & { readonly processID: number }
  let cancelled: Promise<unknown> | undefined
  const timer = setTimeout(() => {
    cancelled = pool.query('select pg_cancel_backend($1)', [processID])
  }, millis)
  try {
    return await client.query(text)
  } finally {
    clearTimeout(timer)
    await cancelled
    client.release()
  }
}

export function theRow(rows: readonly Row[]): Row {
  const [row] = rows
  if (row === undefined) throw new Error('there is no row')
  return row
}

/** The code of an error of the database that reaches the caller as pg has made it. */
export function pgCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined
}
