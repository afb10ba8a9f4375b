// postgres.js: one `sql` over both databases in place of the service's own.
import postgres from 'postgres'
import { postgresOver } from '../adapters/postgres-js.js'
import type { Cutover, Side } from '../src/index.js'

export function openSql(
  cutover: Cutover,
  urls: Readonly<Record<Side, string>>,
  options: postgres.Options<Record<string, postgres.PostgresType>> = {},
): postgres.Sql {
  return postgresOver(cutover, (side) => postgres(urls[side], options))
}

/** At shutdown: what runs may take five more seconds, then the migration goes with its own connections. */
export async function shutDown(sql: postgres.Sql, cutover: Cutover): Promise<void> {
  await sql.end({ timeout: 5 })
  await cutover.end()
}
