// Kysely over the facade: a view of its own, which `db.destroy()` ends.
import { Kysely, PostgresDialect } from 'kysely'
import Cursor from 'pg-cursor'
import type { Cutover } from '../src/index.js'

export function openKysely<Database>(
  cutover: Cutover,
  log: (error: Error) => void = console.error,
): Kysely<Database> {
  const pool = cutover.createPool()
  // Kysely does not listen: as with any pg.Pool, an idle connection that breaks would end the process.
  pool.on('error', log)
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool, cursor: Cursor }) })
}

/** At shutdown: Kysely with its view first, then the migration with its connections. */
export async function shutDown<Database>(db: Kysely<Database>, cutover: Cutover): Promise<void> {
  await db.destroy()
  await cutover.end()
}
