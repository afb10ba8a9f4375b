// A connection outside of every pool, as Knex opens one for a cancellation or for whoever asks for it.
import type { Cutover } from '../../src/index.js'
import type { KnexConnection } from './dialect.js'

interface RawConnection extends KnexConnection {
  connect(): Promise<unknown>
}

export async function rawConnection(cutover: Cutover): Promise<KnexConnection> {
  const { pool } = cutover
  const Client = Reflect.get(pool, 'Client') as new (options: unknown) => RawConnection
  const connection = new Client(pool.options)
  const gone = (error?: Error): void => {
    connection.__knex__disposed = error ?? 'Connection ended unexpectedly'
  }
  connection.on('error', gone)
  connection.on('end', gone)
  await connection.connect()
  return connection
}
