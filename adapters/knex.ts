// Knex over the facade: a class for Knex's `client` option, whose connections are leases of a view in every version of Knex 3.
import type { EventEmitter } from 'node:events'
import type { Cutover } from '../src/index.js'
import { askFirst } from './knex/ask-first.js'
import { readConfiguration } from './knex/configuration.js'
import { partsOf, type KnexConfig, type KnexConnection, type KnexRunner } from './knex/dialect.js'
import { LeasePool } from './knex/lease-pool.js'
import { rawConnection } from './knex/raw-connection.js'
import { leavePath, takePath } from './knex/search-path.js'
import { givenUp, streamOnce } from './knex/stream-once.js'
import { checkCutover, readTable } from './options.js'

const WHERE = 'knexClient'

/** A connection outlives the Knex that was given it, and others get it too: it is listened to once. */
const watched = new WeakSet<KnexConnection>()

/** What may be said besides. */
export interface KnexClientOptions {
  /**
   * A class that extends Knex's client for Postgres, of the same copy of Knex, to be used in its place. Default: Knex's
   * own.
   */
  readonly dialect?: object | undefined
}

/**
 * A class for Knex's option `client`, made from your own Knex: `knex({ client: knexClient(knex, cutover) })`. Every
 * connection of such a Knex is a connection of the cutover, so that there is no second pool; Knex's `destroy()` ends its
 * own view of it and nothing else.
 *
 * Knex's `acquireConnectionTimeout` (default 60,000 ms) ends the wait for a connection with `KnexTimeoutError`; the time
 * of a hold does not count. `searchPath` is set once for each connection and is seen by this Knex alone.
 * `pool.afterCreate` is called once for each connection that this Knex gets; what it sets stays for everybody who shares
 * the cutover. `connection.types` are type parsers for the statements of this Knex.
 *
 * During a hold reads are answered as those of `cutover.pool.query` are: single statements outside of a transaction that
 * are known to read. Streams wait, and so do statements that are to be cancelled by their `timeout`. Those of a Knex with
 * `searchPath` or `pool.afterCreate` wait as well, since other sessions have neither.
 *
 * Throws `ERR_OPTION` for anything but the function that Knex exports and a cutover. The class throws it for what would
 * be without effect: `connectionPool`, any other key of `connection` (the addresses are those of the cutover) and of
 * `pool` (so are the sizes).
 */
export function knexClient<C>(
  knex: { readonly Client: C },
  cutover: Cutover,
  options: KnexClientOptions = {},
): C {
  checkCutover(WHERE, cutover)
  const { dialect } = readTable<{ dialect: object | undefined }>(
    WHERE,
    {
      dialect: {
        default: undefined,
        expected: "a class that extends Knex's client for Postgres",
        accepts: (value) => typeof value === 'function',
      },
    },
    options,
  )
  const { Dialect, TimeoutError } = partsOf(WHERE, knex, dialect)
  let named = 0
  const nextName = (): string => `__knexUid${++named}`

  // Knex copies its clients by their prototype and their enumerable fields, so there are no private ones here.
  class CutoverClient extends Dialect {
    constructor(config: KnexConfig) {
      super(config)
      // Knex does it where there is a `connection` alone.
      if (this.pool === undefined) this.initializePool(this.config)
    }

    override initializePool(config: KnexConfig = this.config): void {
      if (this.pool !== undefined) {
        this.logger.warn('The pool has already been initialized')
        return
      }
      const { acquireTimeoutMillis, afterCreate } = readConfiguration(config)
      // For those who set type parsers by it; nothing here is made of it.
      if (this.driver === undefined) this.initializeDriver()
      const known = new WeakSet<KnexConnection>()

      const begin = async (connection: KnexConnection): Promise<void> => {
        this.version ??= await this.checkVersion(connection)
        await takePath(connection, this.searchPath, () => this.setSchemaSearchPath(connection))
        if (afterCreate)
          await new Promise<void>((resolve, reject) => {
            afterCreate(connection, (error) => (error ? reject(error) : resolve()))
          })
        known.add(connection)
        noticeEnd(connection)
      }

      this.pool = new LeasePool(cutover, {
        acquireTimeoutMillis,
        timedOut: () =>
          new TimeoutError(
            'Knex: Timeout acquiring a connection. The pool is probably full. Are you missing a .transacting(trx) call?',
          ),
        nextName,
        // The sessions of reads during a hold have neither.
        anySession: () => afterCreate === undefined && this.searchPath === undefined,
        prepare: (connection) => {
          connection.__knexUid ??= nextName()
          if (!known.has(connection)) return begin(connection)
          return takePath(connection, this.searchPath, () => this.setSchemaSearchPath(connection))
        },
        leave: leavePath,
        lost: (error) => this.logger.warn(`Connection Error: ${error.message}`),
      })
    }

    override runner(builder: unknown): KnexRunner {
      const runner = streamOnce(super.runner(builder))
      // The client of a transaction has no pool; what it runs has its connection.
      const { pool } = this
      return pool instanceof LeasePool && pool.holds ? askFirst(runner, (text) => pool.lend(text)) : runner
    }

    override _query(connection: KnexConnection, statement: { options?: object }): Promise<unknown> {
      const types = typesOf(this.config)
      if (types !== undefined) statement.options = { types, ...statement.options }
      return super._query(connection, statement)
    }

    override _stream(
      connection: KnexConnection,
      statement: object,
      stream: EventEmitter,
      options?: object,
    ): Promise<unknown> {
      const types = typesOf(this.config)
      const given = types === undefined ? options : { types, ...options }
      return Promise.race([givenUp(stream), super._stream(connection, statement, stream, given)])
    }

    /** For `acquireRawConnection()`: a connection of its own, which goes along with the cutover. */
    override _acquireOnlyConnection(): Promise<KnexConnection> {
      return rawConnection(cutover.Client, { types: typesOf(this.config) })
    }

    override async cancelQuery(connection: KnexConnection): Promise<unknown> {
      // The client of the pool asks the server that has the backend, whichever side is in use.
      const { pool } = cutover
      const raw = await rawConnection(Reflect.get(pool, 'Client'), pool.options)
      try {
        return await raw.query('select pg_cancel_backend($1)', [connection.processID])
      } finally {
        await this.destroyRawConnection(raw)
      }
    }
  }
  return CutoverClient as C
}

/** The end of a session reaches the statement before the socket closes; in between it would be handed out again. */
function noticeEnd(connection: KnexConnection): void {
  if (watched.has(connection)) return
  watched.add(connection)
  connection.connection?.on('errorMessage', (message) => {
    if (message.code?.startsWith('57P0')) connection.__knex__disposed = message
  })
}

const typesOf = ({ connection }: KnexConfig): unknown =>
  typeof connection === 'object' && connection !== null && 'types' in connection
    ? connection.types
    : undefined
