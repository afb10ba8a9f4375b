// pg-promise, as the data layer contract knows it.
import pgPromise, { type IBaseProtocol, type IInitOptions, type ITask } from 'pg-promise'
import QueryStream from 'pg-query-stream'
import { openPgPromise, type Database } from '../../../examples/pg-promise.js'
import { pgCode } from './pg-session.js'
import type { DataLayer, Executor, Isolation, OpenOptions, Row, Session, Transaction } from './subject.js'

const { TransactionMode, isolationLevel } = pgPromise.txMode

const options: IInitOptions = { noWarnings: true }

export const pgPromiseLayer: DataLayer = {
  name: 'pg-promise',
  packages: ['pg-promise', 'pg', 'pg-query-stream'],
  handIn: 'pgp.pg = { ...pgp.pg, Pool: function () { return cutover.createPool() } }',
  special: 'it brings a pg of its own and does not use it: set type parsers on the pg that you import',
  example: 'examples/pg-promise.ts',
  readsWait: true,
  acquireTimeoutOf: 'pool',
  lacks: ['cancelAfter', 'migrate'],
  openStock: (url, given) => Promise.resolve(session(openStock(url, given))),
  openFacade: (cutover) => Promise.resolve(session(openPgPromise(cutover, options))),
  sqlState: pgCode,
}

function openStock(connectionString: string, { max, acquireTimeoutMillis }: OpenOptions): Database {
  const timeout = acquireTimeoutMillis === undefined ? {} : { connectionTimeoutMillis: acquireTimeoutMillis }
  return pgPromise(options)({ connectionString, max, ...timeout })
}

function session(db: Database): Session {
  return {
    ...executorOf(db),
    notes: () => db.map('select text from note order by id', [], (row: { text: string }) => row.text),
    readSpecimen: (id) => db.one<Row>('select * from specimen where id = $1', [id]),
    async writeSpecimen(row, id) {
      await db.none(`insert into specimen (id, $1:name) values ($2, $1:csv)`, [
        Object.fromEntries(Object.entries(row).filter(([name]) => name !== 'id')),
        id,
      ])
    },
    transaction: (work, isolation) =>
      isolation === undefined
        ? db.tx((tx) => work(transactionOf(tx)))
        : db.tx({ mode: new TransactionMode({ tiLevel: LEVELS[isolation] }) }, (tx) =>
            work(transactionOf(tx)),
          ),
    stream: (text) => streamFrom(db, text),
    close: () => db.$pool.end(),
  }
}

const LEVELS = {
  'read committed': isolationLevel.readCommitted,
  'repeatable read': isolationLevel.repeatableRead,
  serializable: isolationLevel.serializable,
} as const satisfies Record<Isolation, unknown>

function executorOf(db: IBaseProtocol<object>): Executor {
  return {
    query: (text, values = []) => db.any<Row>(text, [...values]),
    addNote: (text) =>
      db.one('insert into note (text) values ($1) returning id', [text], ({ id }: { id: number }) => id),
  }
}

function transactionOf(tx: ITask<object>): Transaction {
  return {
    ...executorOf(tx),
    savepoint: (work) => tx.tx((inner) => work(executorOf(inner))),
  }
}

/** It gives the client back when the stream ends or fails, so one that is left has to fail. */
async function* streamFrom(db: Database, text: string): AsyncIterable<Row> {
  const rows = new QueryStream(text)
  const ended = db.stream(rows, () => undefined)
  ended.catch(() => undefined)
  try {
    yield* rows.iterator({ destroyOnReturn: false }) as AsyncIterable<Row>
    await ended
  } finally {
    if (!rows.readableEnded && !rows.destroyed) rows.destroy(new Error('nobody reads on'))
  }
}
