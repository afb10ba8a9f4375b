// Objection, as the data layer contract knows it: models bound to a Knex.
import knex, { type Knex } from 'knex'
import { Model, type ModelClass } from 'objection'
import { openObjection } from '../../../examples/objection.js'
import { levelOf, QUIET, raw, stockConfig, timeoutOf } from './knex.js'
import type { DataLayer, Executor, Session, Transaction } from './subject.js'

class Note extends Model {
  declare id: number
  declare text: string
  static override tableName = 'note'
}

class Specimen extends Model {
  declare id: number
  static override tableName = 'specimen'
}

interface Models {
  readonly notes: ModelClass<Note>
  readonly specimens: ModelClass<Specimen>
}

export const objectionLayer: DataLayer = {
  name: 'Objection',
  packages: ['objection', 'knex', 'pg'],
  handIn: 'Model.knex(knex({ client: knexClient(knex, cutover) }))',
  special: 'as Knex',
  example: 'examples/objection.ts',
  acquireTimeoutOf: 'pool',
  lacks: ['stream', 'migrate'],
  openStock: (url, options) => {
    const db = knex(stockConfig(url, options))
    return Promise.resolve(session(db, { notes: Note.bindKnex(db), specimens: Specimen.bindKnex(db) }))
  },
  openFacade: (cutover, _urls, options) => {
    const db = openObjection(cutover, { ...QUIET, ...timeoutOf(options) })
    // The contract opens several at once; a service has one, and uses the models as they are.
    return Promise.resolve(session(db, { notes: Note.bindKnex(db), specimens: Specimen.bindKnex(db) }))
  },
  sqlState: (error) => {
    // Objection leaves errors as they are, and where they were wrapped has them as `nativeError`.
    const native: unknown = Object(error).nativeError ?? error
    return native instanceof Error && 'code' in native && typeof native.code === 'string'
      ? native.code
      : undefined
  },
}

function session(db: Knex, models: Models): Session {
  return {
    ...executorOf(db, models),
    notes: async () => (await models.notes.query().orderBy('id')).map(({ text }) => text),
    readSpecimen: async (id) => (await models.specimens.query().findById(id).throwIfNotFound()).toJSON(),
    async writeSpecimen(row, id) {
      await models.specimens.query().insert({ ...row, id })
    },
    transaction: (work, isolation) =>
      isolation === undefined
        ? Model.transaction(db, (trx) => work(transactionOf(trx, models)))
        : db.transaction((trx) => work(transactionOf(trx, models)), levelOf(isolation)),
    // The text stays as it is but for what follows: a query of a model has a table.
    cancelAfter: async (text, millis) =>
      models.notes
        .query()
        .select(models.notes.raw(text.replace(/^select /, '')))
        .from(models.notes.raw('(select) as nothing'))
        .timeout(millis, { cancel: true }),
    close: () => db.destroy(),
  }
}

function executorOf(db: Knex, models: Models): Executor {
  return {
    query: async (text, values) => (await raw(db, text, values)).rows,
    addNote: async (text) => (await models.notes.query(db).insert({ text })).id,
  }
}

function transactionOf(trx: Knex.Transaction, models: Models): Transaction {
  return {
    ...executorOf(trx, models),
    savepoint: (work) => Model.transaction(trx, (inner) => work(executorOf(inner, models))),
  }
}
