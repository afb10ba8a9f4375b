// Knex, as the data layer contract knows it: the present version, and what others that run on Knex share with it.
import knex, { type Knex } from 'knex'
import { openKnex } from '../../../examples/knex.js'
import { pgCode } from './pg-session.js'
import type { DataLayer, Executor, Isolation, OpenOptions, Row, Session, Transaction } from './subject.js'

/** Knex writes every failed acquisition to the log, and the tests make many. */
export const QUIET: Pick<Knex.Config, 'log'> = { log: { warn: () => {}, error: () => {} } }

export const knexLayer: DataLayer = {
  name: 'Knex',
  packages: ['knex', 'pg', 'pg-query-stream'],
  handIn: 'knex({ client: knexClient(knex, cutover) })',
  special:
    'reads of a Knex with `searchPath` or `afterCreate` wait during a hold; `connection` and the sizes of `pool` are refused',
  example: 'examples/knex.ts',
  acquireTimeoutOf: 'pool',
  openStock: (url, options) => Promise.resolve(knexSession(knex(stockConfig(url, options)))),
  openFacade: (cutover, _urls, options) =>
    Promise.resolve(knexSession(openKnex(cutover, { ...QUIET, ...timeoutOf(options) }))),
  sqlState: pgCode,
}

export const stockConfig = (url: string, options: OpenOptions): Knex.Config => ({
  ...QUIET,
  ...timeoutOf(options),
  client: 'pg',
  connection: url,
  pool: { min: 0, max: options.max, afterCreate: noticeFarewell },
})

/** Knex may hand a connection out again whose server has ended it and whose socket is not closed yet. */
function noticeFarewell(client: FarewellClient, done: (error?: Error) => void): void {
  client.connection.on('errorMessage', (message) => {
    if (message.code === '57P01') client.__knex__disposed = message
  })
  done()
}

interface FarewellClient {
  readonly connection: {
    on(event: 'errorMessage', listener: (message: { readonly code?: string }) => void): void
  }
  __knex__disposed?: unknown
}

export const timeoutOf = ({ acquireTimeoutMillis }: OpenOptions): Knex.Config =>
  acquireTimeoutMillis === undefined ? {} : { acquireConnectionTimeout: acquireTimeoutMillis }

/** Knex has question marks where the contract has numbers. */
export function raw(db: Knex, text: string, values: readonly unknown[] = []): Knex.Raw<{ rows: Row[] }> {
  const given: unknown[] = []
  const marked = text.replaceAll(/\$(\d+)/g, (_, number: string) => {
    given.push(values[Number(number) - 1])
    return '?'
  })
  return db.raw<{ rows: Row[] }>(marked, given as Knex.RawBinding[])
}

export function knexSession(db: Knex): Session {
  return {
    ...executorOf(db),
    notes: () => db('note').orderBy('id').pluck<string[]>('text'),
    readSpecimen: async (id) => (await db<Row>('specimen').where({ id }).first()) ?? {},
    async writeSpecimen(row, id) {
      await db('specimen').insert({ ...row, id })
    },
    transaction: (work, isolationLevel) =>
      db.transaction((trx) => work(transactionOf(trx)), levelOf(isolationLevel)),
    stream: (text) => db.raw(text).stream({ highWaterMark: 1_000 }) as AsyncIterable<Row>,
    cancelAfter: async (text, millis) => db.raw(text).timeout(millis, { cancel: true }),
    migrate: () => migrate(db),
    close: () => db.destroy(),
  }
}

export const levelOf = (isolationLevel: Isolation | undefined): Knex.TransactionConfig =>
  isolationLevel === undefined ? {} : { isolationLevel }

function executorOf(db: Knex): Executor {
  return {
    query: async (text, values) => (await raw(db, text, values)).rows,
    async addNote(text) {
      const [row] = await db('note').insert({ text }).returning<{ id: number }[]>('id')
      return row?.id ?? 0
    },
  }
}

function transactionOf(trx: Knex.Transaction): Transaction {
  return {
    ...executorOf(trx),
    savepoint: (work) => trx.transaction((inner) => work(executorOf(inner))),
  }
}

async function migrate(db: Knex): Promise<void> {
  const migration: Knex.Migration = {
    up: (on) => on.schema.createTable('migrated', (table) => table.integer('id').primary()),
    down: (on) => on.schema.dropTable('migrated'),
  }
  await db.migrate.latest({
    migrationSource: {
      getMigrations: () => Promise.resolve(['migrated']),
      getMigrationName: (name) => name,
      getMigration: () => Promise.resolve(migration),
    } satisfies Knex.MigrationSource<string>,
  })
}
