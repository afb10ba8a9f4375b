// The real connection behind a client of `cutover.Client`: pg's own client, of the class that the side's pool uses.
import pg from 'pg'
import type { InnerClient, InnerPool } from './pg-internals.js'

export type SessionClient = InnerClient & {
  readonly connection: {
    readonly stream: { readonly destroyed: boolean; destroy(error?: Error): void }
  }
  connect(done: (error?: Error | null) => void): void
  end(callback?: () => void): unknown
  query(...args: readonly unknown[]): unknown
  cancel(target: unknown, query: unknown): void
  ref(): void
  unref(): void
}

/** Not connected yet. `types` is the library's own table of parsers, so that one set later counts too. */
export function sessionClient(pool: InnerPool, config: pg.ClientConfig, types?: unknown): SessionClient {
  // Clients of pg-native cannot be told from outside whether they are at work.
  const Client = pool.Client.prototype instanceof pg.Client ? pool.Client : pg.Client
  const client = new Client(config)
  return (types === undefined ? client : Object.assign(client, { _types: types })) as unknown as SessionClient
}
