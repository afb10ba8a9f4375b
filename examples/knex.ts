// Knex over the facade: its connections are those of the cutover, and `db.destroy()` ends its own view of them.
import knex, { type Knex } from 'knex'
import { knexClient } from '../adapters/knex.js'
import type { Cutover } from '../src/index.js'

/** `config` is Knex's own, without `connection` and without the sizes of `pool`: those are the cutover's. */
export function openKnex(cutover: Cutover, config: Knex.Config = {}): Knex {
  return knex({ ...config, client: knexClient(knex, cutover) })
}

/** At shutdown: Knex with its view first, then the migration with its connections. */
export async function shutDown(db: Knex, cutover: Cutover): Promise<void> {
  await db.destroy()
  await cutover.end()
}
