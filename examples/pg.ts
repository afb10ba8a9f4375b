// pg itself: a view of the facade in place of the service's own pool.
import type { Pool, PoolClient } from 'pg'
import type { Cutover } from '../src/index.js'

export function openPool(cutover: Cutover, log: (error: Error) => void = console.error): Pool {
  const pool = cutover.createPool()
  // As with any pg.Pool: an idle connection that breaks is reported here, and replaced by the pool.
  pool.on('error', log)
  return pool
}

export async function inTransaction<T>(
  pool: Pool,
  work: (client: PoolClient) => Promise<T>,
  begin = 'begin',
): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  try {
    await client.query(begin)
    const result = await work(client)
    await client.query('commit')
    return result
  } catch (error) {
    await client.query('rollback').catch((cause: Error) => (broken = cause))
    throw error
  } finally {
    // A client that could not roll back is not to be used again.
    client.release(broken)
  }
}

/** At shutdown: the view first, then the migration with its connections. */
export async function shutDown(pool: Pool, cutover: Cutover): Promise<void> {
  await pool.end()
  await cutover.end()
}
