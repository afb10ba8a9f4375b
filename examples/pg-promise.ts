// pg-promise over the facade: it makes its pool from `pgp.pg`, which is given a view in place of that pool.
import pgPromise, { type IDatabase, type IInitOptions } from 'pg-promise'
import type { Cutover } from '../src/index.js'

export type Database = IDatabase<object>

export function openPgPromise(cutover: Cutover, options: IInitOptions = {}): Database {
  const pgp = pgPromise(options)
  const over = {
    // Called with `new`: what a constructor returns is what `new` gives.
    Pool: function Pool() {
      return cutover.createPool()
    },
    // For `db.connect({ direct: true })`.
    Client: cutover.Client,
  }
  // Left to be replaced by its makers, though its types say otherwise.
  Object.assign(pgp, { pg: { ...pgp.pg, ...over } })
  // The address is the migration's; the name only tells this database from others of the process.
  return pgp({ application_name: cutover.name })
}

/** At shutdown: pg-promise with its view first, then the migration with its connections. */
export async function shutDown(db: Database, cutover: Cutover): Promise<void> {
  await db.$pool.end()
  await cutover.end()
}
