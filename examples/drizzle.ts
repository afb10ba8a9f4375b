// Drizzle over the facade: a view of its own, which is `db.$client` and is ended as any pg.Pool.
import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres'
import type { Pool } from 'pg'
import type { Cutover } from '../src/index.js'

export type Database = NodePgDatabase & { $client: Pool }

export function openDrizzle(cutover: Cutover, log: (error: Error) => void = console.error): Database {
  const client = cutover.createPool()
  // Drizzle does not listen: as with any pg.Pool, an idle connection that breaks would end the process.
  client.on('error', log)
  return drizzle({ client })
}

/** At shutdown: the view first, then the migration with its connections. */
export async function shutDown(db: Database, cutover: Cutover): Promise<void> {
  await db.$client.end()
  await cutover.end()
}
