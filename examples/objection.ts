// Objection over the facade: it runs on a Knex, so that Knex is what is given the cutover.
import knex, { type Knex } from 'knex'
import { Model } from 'objection'
import { knexClient } from '../adapters/knex.js'
import type { Cutover } from '../src/index.js'

/** Binds all models of the service, and gives the Knex that they run on. */
export function openObjection(cutover: Cutover, config: Knex.Config = {}): Knex {
  const db = knex({ ...config, client: knexClient(knex, cutover) })
  Model.knex(db)
  return db
}

/** At shutdown: Knex with its view first, then the migration with its connections. */
export async function shutDown(db: Knex, cutover: Cutover): Promise<void> {
  await db.destroy()
  await cutover.end()
}
