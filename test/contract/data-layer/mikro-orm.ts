// MikroORM 6, as the data layer contract knows it: entities by schema, and its own copies of Knex and pg.
import {
  EntitySchema,
  IsolationLevel,
  type Knex,
  MikroORM,
  type Options,
  type SqlEntityManager,
} from '@mikro-orm/postgresql'
import { openMikroOrm } from '../../../examples/mikro-orm.js'
import type { DataLayer, Executor, Isolation, OpenOptions, Row, Session, Transaction } from './subject.js'

interface Note {
  id: number
  text: string
}

const Note = new EntitySchema<Note>({
  name: 'Note',
  tableName: 'note',
  properties: { id: { type: 'integer', primary: true, autoincrement: true }, text: { type: 'text' } },
})

const COLUMNS = {
  big: { type: 'bigint' },
  amount: { type: 'decimal' },
  document: { type: 'json' },
  tags: { type: 'array' },
  counts: { type: 'array' },
  bytes: { type: 'blob' },
  day: { type: 'date' },
  moment: { type: 'datetime' },
  plain: { type: 'datetime', columnType: 'timestamp(3)' },
  flag: { type: 'boolean' },
  mood: { type: 'text' },
  ratio: { type: 'double' },
  uid: { type: 'uuid' },
  nothing: { type: 'text', nullable: true },
} as const

type Specimen = { id: number } & Record<keyof typeof COLUMNS, object | null>

const Specimen = new EntitySchema<Specimen>({
  name: 'Specimen',
  tableName: 'specimen',
  properties: { id: { type: 'integer', primary: true }, ...COLUMNS },
})

const OPTIONS: Options = {
  entities: [Note, Specimen],
  // The contract has no models to be read from files.
  discovery: { warnWhenNoEntities: false },
}

/** For the Knex under it, which is not the one of the contract's own. */
const quietly = ({ acquireTimeoutMillis }: OpenOptions): Knex.Config => ({
  log: { warn: () => {}, error: () => {} },
  ...(acquireTimeoutMillis === undefined ? {} : { acquireConnectionTimeout: acquireTimeoutMillis }),
})

const LEVELS: Readonly<Record<Isolation, IsolationLevel>> = {
  'read committed': IsolationLevel.READ_COMMITTED,
  'repeatable read': IsolationLevel.REPEATABLE_READ,
  serializable: IsolationLevel.SERIALIZABLE,
}

export const mikroOrmLayer: DataLayer = {
  name: 'MikroORM 6',
  packages: ['@mikro-orm/postgresql', '@mikro-orm/core', 'pg'],
  handIn:
    'MikroORM.init({ driverOptions: knex({ client: knexClient(knex, cutover, { dialect: PostgreSqlKnexDialect }) }) })',
  special:
    'as Knex; `knex` is the one that MikroORM exports, and the type parsers that MikroORM sets go to that Knex',
  example: 'examples/mikro-orm.ts',
  acquireTimeoutOf: 'pool',
  lacks: ['stream', 'cancelAfter', 'migrate'],
  openStock: async (url, options) =>
    session(
      await MikroORM.init({
        ...OPTIONS,
        clientUrl: url,
        dbName: new URL(url).pathname.slice(1),
        pool: { min: 0, max: options.max },
        driverOptions: quietly(options),
      }),
    ),
  openFacade: async (cutover, _urls, options) =>
    // MikroORM insists on a name of a database; which it is, the cutover says.
    session(await openMikroOrm(cutover, { ...OPTIONS, dbName: 'any' }, quietly(options))),
  sqlState: (error) =>
    error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined,
}

function session(orm: MikroORM): Session {
  return {
    ...executorOf(orm.em.fork()),
    notes: async () =>
      (await orm.em.fork().findAll(Note, { orderBy: { id: 'asc' } })).map(({ text }) => text),
    async readSpecimen(id) {
      const row = await orm.em.fork().findOneOrFail(Specimen, { id })
      return Object.fromEntries(
        ['id', ...Object.keys(COLUMNS)].map((column) => [column, Reflect.get(row, column) as unknown]),
      )
    },
    async writeSpecimen(row, id) {
      await orm.em.fork().insert(Specimen, { ...(row as Specimen), id })
    },
    transaction: (work, isolation) =>
      orm.em
        .fork()
        .transactional(
          (em) => work(transactionOf(em)),
          isolation === undefined ? {} : { isolationLevel: LEVELS[isolation] },
        ),
    close: () => orm.close(),
  }
}

function executorOf(em: SqlEntityManager): Executor {
  return {
    query: (text, values = []) => {
      const given: unknown[] = []
      const marked = text.replaceAll(/\$(\d+)/g, (_, number: string) => {
        given.push(values[Number(number) - 1])
        return '?'
      })
      return em.execute<Row[]>(marked, given)
    },
    addNote: (text) => em.insert(Note, { text }),
  }
}

function transactionOf(em: SqlEntityManager): Transaction {
  return {
    ...executorOf(em),
    savepoint: (work) => em.transactional((inner) => work(executorOf(inner))),
  }
}
