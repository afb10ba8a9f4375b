// A connection outside of every pool, as Knex opens one for a cancellation or for whoever asks for it.
import type { KnexConnection } from './dialect.js'

interface RawConnection extends KnexConnection {
  connect(): Promise<unknown>
}

export async function rawConnection(Client: unknown, config: object): Promise<KnexConnection> {
  const connection = new (Client as new (config: object) => RawConnection)(config)
  const gone = (error?: Error): void => {
    connection.__knex__disposed = error ?? 'Connection ended unexpectedly'
  }
  connection.on('error', gone)
  connection.on('end', gone)
  await connection.connect()
  return connection
}
