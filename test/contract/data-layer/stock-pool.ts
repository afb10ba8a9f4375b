// A stock pg.Pool as a careful service opens it, for the libraries that take one.
import pg from 'pg'
import type { OpenOptions } from './subject.js'

const noticed = (): void => undefined

export function stockPool(connectionString: string, { max, acquireTimeoutMillis }: OpenOptions): pg.Pool {
  const timeout = acquireTimeoutMillis === undefined ? {} : { connectionTimeoutMillis: acquireTimeoutMillis }
  const pool = new pg.Pool({ connectionString, max, ...timeout })
  pool.on('error', noticed)
  // Without it, the death of a checked-out client ends the process; the facade listens by itself.
  pool.on('connect', (client) => client.on('error', noticed))
  return pool
}
