// Slonik: its own pool, with a driver whose clients go wherever the migration is.
import QueryStream from 'pg-query-stream'
import * as slonik from 'slonik'
import { slonikDriver } from '../adapters/slonik.js'
import type { Cutover } from '../src/index.js'

export function openSlonik(
  cutover: Cutover,
  options: slonik.ClientConfigurationInput = {},
): Promise<slonik.DatabasePool> {
  return slonik.createPool('postgres://', {
    ...options,
    driverFactory: slonikDriver(slonik, cutover, QueryStream),
  })
}

/** At shutdown: Slonik closes its own connections, then the migration is ended. */
export async function shutDown(pool: slonik.DatabasePool, cutover: Cutover): Promise<void> {
  await pool.end()
  await cutover.end()
}
