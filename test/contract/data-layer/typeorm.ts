// TypeORM, as the data layer contract knows it.
import {
  DataSource,
  EntitySchema,
  type EntityManager,
  type MigrationInterface,
  type ObjectLiteral,
  type QueryRunner,
} from 'typeorm'
import { openTypeOrm } from '../../../examples/typeorm.js'
import { pgCode } from './pg-session.js'
import type { DataLayer, Executor, Isolation, OpenOptions, Row, Session, Transaction } from './subject.js'

interface Note {
  id: number
  text: string
}

const Note = new EntitySchema<Note>({
  name: 'note',
  columns: { id: { type: 'int', primary: true, generated: true }, text: { type: 'text' } },
})

const Specimen = new EntitySchema<ObjectLiteral>({
  name: 'specimen',
  columns: {
    id: { type: 'int', primary: true },
    big: { type: 'bigint' },
    amount: { type: 'numeric' },
    document: { type: 'jsonb' },
    tags: { type: 'text', array: true },
    counts: { type: 'int', array: true },
    bytes: { type: 'bytea' },
    day: { type: 'date' },
    moment: { type: 'timestamptz' },
    plain: { type: 'timestamp' },
    flag: { type: 'boolean' },
    mood: { type: 'enum', enum: ['calm', 'wild'], enumName: 'mood' },
    ratio: { type: 'float8' },
    uid: { type: 'uuid' },
    nothing: { type: 'text', nullable: true },
  },
})

class Migrated1700000000000 implements MigrationInterface {
  up(runner: QueryRunner): Promise<void> {
    return runner.query('create table migrated (id int primary key)')
  }
  down(runner: QueryRunner): Promise<void> {
    return runner.query('drop table migrated')
  }
}

const options = { entities: [Note, Specimen], migrations: [Migrated1700000000000] }

export const typeormLayer: DataLayer = {
  name: 'TypeORM',
  packages: ['typeorm', 'pg', 'pg-query-stream'],
  handIn: 'new DataSource({ driver: { ...pg, Pool: function () { return cutover.createPool() } } })',
  special:
    '`poolSize`, `extra` and the address are those of the migration; it asks for the version of the server once',
  example: 'examples/typeorm.ts',
  readsWait: true,
  acquireTimeoutOf: 'pool',
  lacks: ['cancelAfter'],
  openStock: async (url, given) => session(await openStock(url, given)),
  openFacade: async (cutover) => session(await openTypeOrm(cutover, options)),
  sqlState: pgCode,
}

function openStock(url: string, { max, acquireTimeoutMillis }: OpenOptions): Promise<DataSource> {
  const timeout = acquireTimeoutMillis === undefined ? {} : { connectTimeoutMS: acquireTimeoutMillis }
  return new DataSource({ ...options, ...timeout, type: 'postgres', url, poolSize: max }).initialize()
}

function session(dataSource: DataSource): Session {
  const { manager } = dataSource
  return {
    ...executorOf(manager),
    notes: async () => (await manager.find(Note, { order: { id: 'asc' } })).map(({ text }) => text),
    readSpecimen: async (id) => ({ ...(await manager.findOneByOrFail(Specimen, { id })) }),
    async writeSpecimen(row, id) {
      await manager.insert(Specimen, { ...row, id })
    },
    transaction: (work, isolation) =>
      isolation === undefined
        ? manager.transaction((tx) => work(transactionOf(tx)))
        : manager.transaction(LEVELS[isolation], (tx) => work(transactionOf(tx))),
    stream: (text) => streamFrom(dataSource, text),
    async migrate() {
      await dataSource.runMigrations()
    },
    close: () => dataSource.destroy(),
  }
}

const LEVELS = {
  'read committed': 'READ COMMITTED',
  'repeatable read': 'REPEATABLE READ',
  serializable: 'SERIALIZABLE',
} as const satisfies Record<Isolation, string>

function executorOf(manager: EntityManager): Executor {
  return {
    // Of an update it gives the rows and their number.
    query: async (text, values = []) => rowsOf(await manager.query(text, [...values])),
    addNote: async (text) => Number((await manager.insert(Note, { text })).identifiers[0]?.['id']),
  }
}

function rowsOf(given: readonly Row[] | readonly [readonly Row[], number]): readonly Row[] {
  return Array.isArray(given[0]) ? given[0] : (given as readonly Row[])
}

function transactionOf(manager: EntityManager): Transaction {
  return {
    ...executorOf(manager),
    savepoint: (work) => manager.transaction((inner) => work(executorOf(inner))),
  }
}

async function* streamFrom(dataSource: DataSource, text: string): AsyncIterable<Row> {
  const runner = dataSource.createQueryRunner()
  try {
    yield* (await runner.stream(text)) as AsyncIterable<Row>
  } finally {
    await runner.release()
  }
}
