// Drizzle on node-postgres, as the data layer contract knows it.
import { join } from 'node:path'
import { asc, eq, sql, type SQL } from 'drizzle-orm'
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import { migrate } from 'drizzle-orm/node-postgres/migrator'
import * as column from 'drizzle-orm/pg-core'
import { openDrizzle, type Database } from '../../../examples/drizzle.js'
import { pgCode, theRow } from './pg-session.js'
import { stockPool } from './stock-pool.js'
import type { DataLayer, Executor, Row, Session, Transaction } from './subject.js'

const note = column.pgTable('note', { id: column.serial().primaryKey(), text: column.text().notNull() })

const bytea = column.customType<{ data: Buffer }>({ dataType: () => 'bytea' })

const specimen = column.pgTable('specimen', {
  id: column.integer().primaryKey(),
  big: column.bigint({ mode: 'bigint' }).notNull(),
  amount: column.numeric({ precision: 30, scale: 10 }).notNull(),
  document: column.jsonb().notNull(),
  tags: column.text().array().notNull(),
  counts: column.integer().array().notNull(),
  bytes: bytea().notNull(),
  day: column.date({ mode: 'date' }).notNull(),
  moment: column.timestamp({ withTimezone: true, precision: 3 }).notNull(),
  plain: column.timestamp({ precision: 3 }).notNull(),
  flag: column.boolean().notNull(),
  mood: column.pgEnum('mood', ['calm', 'wild'])().notNull(),
  ratio: column.doublePrecision().notNull(),
  uid: column.uuid().notNull(),
  nothing: column.text(),
})

export const drizzleLayer: DataLayer = {
  name: 'Drizzle',
  packages: ['drizzle-orm', 'pg'],
  handIn: 'drizzle({ client: cutover.createPool() })',
  special: '',
  example: 'examples/drizzle.ts',
  acquireTimeoutOf: 'pool',
  lacks: ['stream', 'cancelAfter'],
  openStock: (url, options) => Promise.resolve(session(drizzle({ client: stockPool(url, options) }))),
  openFacade: (cutover) => Promise.resolve(session(openDrizzle(cutover, () => undefined))),
  sqlState: (error) => pgCode(error instanceof Error ? (error.cause ?? error) : error),
}

function session(db: Database): Session {
  return {
    ...executorOf(db),
    notes: async () => (await db.select().from(note).orderBy(asc(note.id))).map(({ text }) => text),
    readSpecimen: async (id) => theRow(await db.select().from(specimen).where(eq(specimen.id, id))),
    async writeSpecimen(row, id) {
      await db.insert(specimen).values({ ...(row as typeof specimen.$inferInsert), id })
    },
    transaction: (work, isolation) =>
      db.transaction(
        (tx) => work(transactionOf(tx)),
        isolation === undefined ? undefined : { isolationLevel: isolation },
      ),
    migrate: () => migrate(db, { migrationsFolder: join(import.meta.dirname, 'drizzle') }),
    close: () => db.$client.end(),
  }
}

type Queries = Pick<NodePgDatabase, 'execute' | 'insert'>

function executorOf(db: Queries): Executor {
  return {
    query: async (text, values = []) => (await db.execute<Row>(withValues(text, values))).rows,
    addNote: async (text) =>
      Number(theRow(await db.insert(note).values({ text }).returning({ id: note.id }))['id']),
  }
}

type DrizzleTransaction = Parameters<Parameters<Database['transaction']>[0]>[0]

function transactionOf(tx: DrizzleTransaction): Transaction {
  return {
    ...executorOf(tx),
    savepoint: (work) => tx.transaction((inner) => work(executorOf(inner))),
  }
}

/** Drizzle has no numbered places: a text with them is cut at each. */
function withValues(text: string, values: readonly unknown[]): SQL {
  const parts = text.split(/\$(\d+)/).map((part, index) => {
    if (index % 2 === 0) return sql.raw(part)
    return sql`${values[Number(part) - 1]}`
  })
  return sql.join(parts)
}
