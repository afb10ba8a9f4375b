// Sequelize, as the data layer contract knows it.
import pg from 'pg'
import {
  DataTypes,
  QueryTypes,
  Sequelize,
  type Options,
  Transaction as SequelizeTransaction,
} from 'sequelize'
import { openSequelize } from '../../../examples/sequelize.js'
import type { DataLayer, Executor, OpenOptions, Row, Session, Transaction } from './subject.js'

/** Its time to wait has to suffice for opening a connection as well. */
const EXTRA_MILLIS = 400

export const sequelizeLayer: DataLayer = {
  name: 'Sequelize',
  packages: ['sequelize'],
  handIn: 'dialectModule: sequelizeModule(pg, cutover)',
  special:
    'its own pool, of clients that move; a held statement waits with its connection, so `pool.acquire` runs on for ' +
    'calls that find no connection free',
  example: 'examples/sequelize.ts',
  acquireTimeoutOf: 'pool',
  acquireExtraMillis: EXTRA_MILLIS,
  lacks: ['stream', 'cancelAfter'],
  openStock: (url, options) =>
    Promise.resolve(
      sessionOf(new Sequelize(url, { ...optionsOf(options), dialect: 'postgres', dialectModule: pg })),
    ),
  openFacade: (cutover, _, options) => Promise.resolve(sessionOf(openSequelize(cutover, optionsOf(options)))),
  sqlState(error) {
    const { original = error } = error as { original?: unknown }
    return original instanceof Error && 'code' in original ? String(original.code) : undefined
  },
}

const { ISOLATION_LEVELS } = SequelizeTransaction
const LEVELS = {
  'read committed': ISOLATION_LEVELS.READ_COMMITTED,
  'repeatable read': ISOLATION_LEVELS.REPEATABLE_READ,
  serializable: ISOLATION_LEVELS.SERIALIZABLE,
} as const

const optionsOf = ({ max, acquireTimeoutMillis }: OpenOptions): Options => ({
  logging: false,
  pool: {
    max,
    ...(acquireTimeoutMillis === undefined ? {} : { acquire: acquireTimeoutMillis + EXTRA_MILLIS }),
  },
})

function modelsOf(sequelize: Sequelize) {
  const options = { timestamps: false, freezeTableName: true }
  const id = { type: DataTypes.INTEGER, primaryKey: true }
  return {
    note: sequelize.define('note', { id: { ...id, autoIncrement: true }, text: DataTypes.TEXT }, options),
    migrated: sequelize.define('migrated', { id }, options),
    specimen: sequelize.define(
      'specimen',
      {
        id,
        big: DataTypes.BIGINT,
        amount: DataTypes.DECIMAL(30, 10),
        document: DataTypes.JSONB,
        tags: DataTypes.ARRAY(DataTypes.TEXT),
        counts: DataTypes.ARRAY(DataTypes.INTEGER),
        bytes: DataTypes.BLOB,
        day: DataTypes.DATEONLY,
        moment: DataTypes.DATE(3),
        plain: DataTypes.DATE(3),
        flag: DataTypes.BOOLEAN,
        mood: DataTypes.ENUM('calm', 'wild'),
        ratio: DataTypes.DOUBLE,
        uid: DataTypes.UUID,
        nothing: DataTypes.TEXT,
      },
      options,
    ),
  }
}

function executorOf(
  sequelize: Sequelize,
  { note }: ReturnType<typeof modelsOf>,
  transaction: SequelizeTransaction | null = null,
): Executor {
  return {
    query: async (text, values) =>
      await sequelize.query<Row>(text, {
        type: QueryTypes.SELECT,
        transaction,
        ...(values ? { bind: [...values] } : {}),
      }),
    addNote: async (text) => Number((await note.create({ text }, { transaction })).get('id')),
  }
}

function sessionOf(sequelize: Sequelize): Session {
  const models = modelsOf(sequelize)
  const within = (transaction: SequelizeTransaction): Transaction => ({
    ...executorOf(sequelize, models, transaction),
    savepoint: (work) =>
      sequelize.transaction({ transaction }, (inner) => work(executorOf(sequelize, models, inner))),
  })
  return {
    ...executorOf(sequelize, models),
    notes: async () => (await models.note.findAll({ order: ['id'] })).map((one) => String(one.get('text'))),
    async readSpecimen(id) {
      const found = await models.specimen.findByPk(id, { rejectOnEmpty: true })
      return found.get({ plain: true }) as Row
    },
    async writeSpecimen(row, id) {
      await models.specimen.create({ ...row, id })
    },
    transaction: (work, isolation) =>
      sequelize.transaction(isolation ? { isolationLevel: LEVELS[isolation] } : {}, (transaction) =>
        work(within(transaction)),
      ),
    migrate: async () => void (await models.migrated.sync()),
    close: () => sequelize.close(),
  }
}
