// Kysely, as the data layer contract knows it.
import { CompiledQuery, Kysely, Migrator, PostgresDialect, sql, type Generated } from 'kysely'
import Cursor from 'pg-cursor'
import { openKysely } from '../../../examples/kysely.js'
import { pgCode } from './pg-session.js'
import { stockPool } from './stock-pool.js'
import type { DataLayer, Executor, Row, Session, Transaction } from './subject.js'

interface Database {
  note: { id: Generated<number>; text: string }
  specimen: Record<string, unknown> & { id: number }
}

type ControlledTransaction = Awaited<ReturnType<ReturnType<Kysely<Database>['startTransaction']>['execute']>>

export const kyselyLayer: DataLayer = {
  name: 'Kysely',
  packages: ['kysely', 'pg', 'pg-cursor'],
  handIn: 'new PostgresDialect({ pool: cutover.createPool() })',
  special: 'checks a client out for each statement',
  readsWait: true,
  example: 'examples/kysely.ts',
  acquireTimeoutOf: 'pool',
  lacks: ['cancelAfter'],
  openStock: (url, options) =>
    Promise.resolve(
      session(
        new Kysely<Database>({
          dialect: new PostgresDialect({ pool: stockPool(url, options), cursor: Cursor }),
        }),
      ),
    ),
  openFacade: (cutover) => Promise.resolve(session(openKysely<Database>(cutover, () => undefined))),
  sqlState: pgCode,
}

function session(db: Kysely<Database>): Session {
  return {
    ...executorOf(db),
    notes: async () =>
      (await db.selectFrom('note').select('text').orderBy('id').execute()).map(({ text }) => text),
    readSpecimen: (id) =>
      db.selectFrom('specimen').selectAll().where('id', '=', id).executeTakeFirstOrThrow(),
    async writeSpecimen(row, id) {
      await db
        .insertInto('specimen')
        .values({ ...row, id })
        .execute()
    },
    async transaction(work, isolation) {
      if (isolation !== undefined)
        return db
          .transaction()
          .setIsolationLevel(isolation)
          .execute((tx) => work(executorOf(tx)))
      const tx = await db.startTransaction().execute()
      try {
        const given = await work(transactionOf(tx))
        await tx.commit().execute()
        return given
      } catch (error) {
        await tx.rollback().execute()
        throw error
      }
    },
    stream: (text) =>
      db
        .selectFrom(sql<Row>`(${sql.raw(text)})`.as('given'))
        .selectAll()
        .stream(100),
    migrate: () => migrate(db),
    close: () => db.destroy(),
  }
}

function executorOf(db: Kysely<Database>): Executor {
  return {
    query: async (text, values = []) =>
      (await db.executeQuery<Row>(CompiledQuery.raw(text, [...values]))).rows,
    addNote: async (text) =>
      (await db.insertInto('note').values({ text }).returning('id').executeTakeFirstOrThrow()).id,
  }
}

function transactionOf(tx: ControlledTransaction): Transaction {
  return {
    ...executorOf(tx),
    async savepoint(work) {
      const inner = await tx.savepoint('here').execute()
      try {
        const given = await work(executorOf(inner))
        await inner.releaseSavepoint('here').execute()
        return given
      } catch (error) {
        await inner.rollbackToSavepoint('here').execute()
        throw error
      }
    },
  }
}

async function migrate(db: Kysely<Database>): Promise<void> {
  const migrator = new Migrator({
    db,
    provider: {
      getMigrations: () =>
        Promise.resolve({
          migrated: {
            up: async (on: Kysely<unknown>) => {
              await on.schema
                .createTable('migrated')
                .addColumn('id', 'integer', (column) => column.primaryKey())
                .execute()
            },
          },
        }),
    },
  })
  const { error } = await migrator.migrateToLatest()
  if (error !== undefined) throw error
}
