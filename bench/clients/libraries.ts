// The libraries that are measured: each on its stock pool, and on the facade through the example that services copy.
import { PrismaPg } from '@prisma/adapter-pg'
import { readReplicas } from '@prisma/extension-read-replicas'
import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/node-postgres'
import { integer, pgTable, text } from 'drizzle-orm/pg-core'
import knex, { type Knex } from 'knex'
import { Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import { prismaAdapter } from '../../adapters/prisma.js'
import { openDrizzle } from '../../examples/drizzle.js'
import { openKnex } from '../../examples/knex.js'
import { openKysely } from '../../examples/kysely.js'
import { openPool } from '../../examples/pg.js'
import { openPrisma } from '../../examples/prisma.js'
import { PrismaClient } from '../../examples/prisma/generated/client.js'
import type { Cutover } from '../../src/index.js'
import { MAX, type Contender } from './contender.js'

/** A library on its own pool, `url` being where that leads, and what is put against it. */
export interface Library {
  readonly name: string
  stock(url: string): Promise<Contender>
  readonly others: readonly Other[]
}

export interface Other {
  readonly name: string
  /** It runs on the facade, and is not here for comparison only. */
  readonly onFacade: boolean
  open(cutover: Cutover, url: string): Promise<Contender>
}

interface Database {
  note: { id: number; text: string }
}

const noteTable = pgTable('note', { id: integer().primaryKey(), text: text().notNull() })

const ofPool = (pool: pg.Pool): Contender => ({
  ask: (id) => pool.query('select id, text from note where id = $1', [id]),
  close: () => pool.end(),
})

const ofKnex = (db: Knex): Contender => ({
  ask: (id) => db<Database['note']>('note').select('id', 'text').where({ id }),
  close: () => db.destroy(),
})

const ofDrizzle = (db: ReturnType<typeof openDrizzle>): Contender => ({
  ask: (id) => db.select().from(noteTable).where(eq(noteTable.id, id)),
  close: () => db.$client.end(),
})

const ofKysely = (db: Kysely<Database>): Contender => ({
  ask: (id) => db.selectFrom('note').select(['id', 'text']).where('id', '=', id).execute(),
  close: () => db.destroy(),
})

const ofPrisma = async (
  client: Pick<PrismaClient, 'note' | '$connect' | '$disconnect'>,
): Promise<Contender> => {
  await client.$connect()
  return {
    // Not findUnique, of which Prisma makes one statement where several are asked for at once.
    ask: (id) => client.note.findFirst({ where: { id } }),
    close: () => client.$disconnect(),
  }
}

const poolTo = (url: string): pg.Pool => new pg.Pool({ connectionString: url, max: MAX })

const prismaTo = (url: string): PrismaClient =>
  new PrismaClient({ adapter: new PrismaPg({ connectionString: url, max: MAX }) })

/** The stock client with an extension of its own. */
const extended = (client: object): Promise<Contender> => ofPrisma(client as PrismaClient)

const onFacade = (name: string, open: (cutover: Cutover) => Contender): Other => ({
  name,
  onFacade: true,
  open: (cutover) => Promise.resolve(open(cutover)),
})

export const LIBRARIES: readonly Library[] = [
  {
    name: 'pg',
    stock: (url) => Promise.resolve(ofPool(poolTo(url))),
    others: [onFacade('pg', (cutover) => ofPool(openPool(cutover)))],
  },
  {
    name: 'Knex',
    stock: (url) =>
      Promise.resolve(ofKnex(knex({ client: 'pg', connection: url, pool: { min: 0, max: MAX } }))),
    others: [onFacade('Knex', (cutover) => ofKnex(openKnex(cutover)))],
  },
  {
    name: 'Drizzle',
    stock: (url) => Promise.resolve(ofDrizzle(drizzle({ client: poolTo(url) }))),
    others: [onFacade('Drizzle', (cutover) => ofDrizzle(openDrizzle(cutover)))],
  },
  {
    name: 'Kysely',
    stock: (url) =>
      Promise.resolve(
        ofKysely(new Kysely<Database>({ dialect: new PostgresDialect({ pool: poolTo(url) }) })),
      ),
    others: [onFacade('Kysely', (cutover) => ofKysely(openKysely<Database>(cutover)))],
  },
  {
    name: 'Prisma',
    stock: (url) => ofPrisma(prismaTo(url)),
    others: [
      {
        name: 'Prisma',
        onFacade: true,
        open: (cutover) => ofPrisma(new PrismaClient({ adapter: prismaAdapter(PrismaPg, cutover) })),
      },
      {
        name: 'Prisma, pinned',
        onFacade: true,
        open: async (cutover) => extended(await openPrisma(cutover)),
      },
      {
        name: 'Prisma with an extension that does nothing, no facade',
        onFacade: false,
        open: (_, url) =>
          extended(
            prismaTo(url).$extends({
              query: { $allModels: { $allOperations: async ({ args, query }) => await query(args) } },
            }),
          ),
      },
      {
        name: 'Prisma with its read-replicas extension, no facade',
        onFacade: false,
        open: (_, url) => extended(prismaTo(url).$extends(readReplicas({ replicas: [prismaTo(url)] }))),
      },
    ],
  },
]
