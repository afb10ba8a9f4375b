// The few private fields of pg and pg-pool that the facade reads, typed in one place.
import type { EventEmitter } from 'node:events'
import pg from 'pg'

// For what is loaded with the package: a file that asks for pg by its name has it looked up on the disk once more.
export { pg }

export type AcquireCallback = (
  error: Error | undefined,
  client: InnerClient | undefined,
  release: (error?: Error | boolean) => void,
) => void

/** What runs on a client: pg's own query, or a Submittable such as a cursor. */
interface ActiveQuery {
  readonly text?: string
  /** Of pg-cursor: `idle` between two reads. */
  readonly state?: string
  /** Of pg-query-stream. */
  readonly cursor?: { readonly state?: string }
}

/** A pool's client with the fields that tell whether it is at work. */
export interface InnerClient extends Omit<pg.PoolClient, 'connection'> {
  readonly processID: number | null
  /** Absent in pg-native. */
  readonly connection?: EventEmitter & {
    readonly stream: EventEmitter & { destroy(): void }
    _emitMessage: boolean
  }
  readonly _connected?: boolean
  readonly readyForQuery?: boolean
  readonly _activeQuery: ActiveQuery | null | undefined
  readonly _queryQueue: readonly unknown[]
  readonly _sentQueryQueue?: readonly unknown[]
}

/** A real pg.Pool with the fields that it shares with pg-pool. */
export interface InnerPool extends Omit<
  pg.Pool,
  'connect' | 'query' | 'end' | 'options' | 'ending' | 'ended'
> {
  connect(callback: AcquireCallback): void
  connect(): Promise<InnerClient>
  query(...args: readonly unknown[]): unknown
  end(): Promise<void>
  options: pg.PoolOptions & { min: number; connectionTimeoutMillis?: number | undefined }
  log: (...messages: unknown[]) => void
  Promise: PromiseConstructor
  Client: typeof pg.Client
  ending: boolean
  ended: boolean
  readonly _clients: readonly InnerClient[]
  readonly _idle: readonly { readonly client: InnerClient; timeoutId: NodeJS.Timeout | undefined }[]
  readonly _pendingQueue: { callback: AcquireCallback; timedOut?: boolean }[]
  _remove(client: InnerClient, callback?: () => void): void
  _pulseQueue(): void
  _isAboveMin(): boolean
}

/** pg-pool's own `query` and `connect`, which are written in terms of `this.connect`, `this.log` and `this.Promise`. */
export const innerPool = (pool: pg.Pool): InnerPool => pool as unknown as InnerPool

/**
 * Whether the server may still be working for this client. A failed query clears the active one at the error message,
 * before the server says that it is ready, hence the look at `readyForQuery`.
 */
export const isBusy = (client: InnerClient): boolean =>
  client._connected === false ||
  client.readyForQuery === false ||
  (client._activeQuery ?? undefined) !== undefined ||
  client._queryQueue.length > 0 ||
  (client._sentQueryQueue?.length ?? 0) > 0

/** Whether a cursor is open on this client and the server has nothing to do until its caller reads on. */
export const waitsForReader = ({ _activeQuery: active }: InnerClient): boolean =>
  (active?.cursor ?? active)?.state === 'idle'

/** Whether the server said so when it was last ready; of a client that cannot tell, no. */
export const isInTransaction = (client: InnerClient): boolean =>
  (client.getTransactionStatus?.() ?? 'I') !== 'I'

/** The real connection behind a client of `cutover.Client`: pg's own client, of the class that the side's pool uses. */
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
