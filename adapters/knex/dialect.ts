// What the adapter needs of Knex, without Knex's types: the Postgres dialect, and how it is got out of the Knex that was given.
import type { EventEmitter } from 'node:events'
import { refusal } from '../options.js'

/** A client of the facade as Knex uses it. */
export interface KnexConnection extends EventEmitter {
  readonly processID: number | null
  /** The protocol under it, which pg-native does not have. */
  readonly connection?: {
    on(event: 'errorMessage', listener: (message: { readonly code?: string }) => void): void
  }
  query(text: unknown, values?: unknown, callback?: unknown): unknown
  release(destroy?: boolean): void
  /** Set by Knex: names the connection in its events. */
  __knexUid?: string
  /** Set by Knex where a statement that was given up may still run on it. */
  __knex__disposed?: unknown
}

/** What Knex asks of its pool; tarn's shape. */
export interface KnexPool {
  acquire(): { readonly promise: Promise<KnexConnection>; abort(): void }
  release(connection: KnexConnection): boolean
  destroy(): Promise<void>
}

export interface KnexConfig {
  readonly connection?: unknown
  readonly connectionPool?: unknown
  readonly pool?: unknown
  readonly acquireConnectionTimeout?: unknown
}

/** Whatever Knex runs: a query, raw SQL, a change of schema. */
export interface KnexBuilder {
  /** Of queries alone. */
  readonly _method?: unknown
  toSQL(): { readonly sql?: unknown; readonly cancelOnTimeout?: unknown }
}

export interface KnexRunner {
  client: KnexDialect
  readonly builder: KnexBuilder
  run(): unknown
  stream(...args: readonly unknown[]): unknown
}

/** Knex's client for Postgres, as far as it is changed or called. */
export interface KnexDialect {
  readonly config: KnexConfig
  readonly logger: { warn(message: string): void }
  readonly searchPath?: string | readonly string[]
  driver?: unknown
  pool?: KnexPool
  version?: string
  initializeDriver(): void
  initializePool(config?: KnexConfig): void
  acquireConnection(): Promise<KnexConnection>
  releaseConnection(connection: KnexConnection | undefined): Promise<void>
  acquireRawConnection(): Promise<KnexConnection>
  destroyRawConnection(connection: KnexConnection): Promise<unknown>
  cancelQuery(connection: KnexConnection): Promise<unknown>
  checkVersion(connection: KnexConnection): Promise<string>
  setSchemaSearchPath(connection: KnexConnection): Promise<unknown>
  destroy(callback?: (error?: unknown) => void): Promise<void>
  positionBindings(sql: string): string
  runner(builder: unknown): KnexRunner
  _acquireOnlyConnection(): Promise<KnexConnection>
  _query(connection: KnexConnection, statement: { options?: object }): Promise<unknown>
  _stream(
    connection: KnexConnection,
    statement: object,
    stream: EventEmitter,
    options?: object,
  ): Promise<unknown>
}

export type KnexDialectClass = new (config: KnexConfig) => KnexDialect

const NEEDED = [
  'initializeDriver',
  'initializePool',
  'acquireConnection',
  'releaseConnection',
  'acquireRawConnection',
  'destroyRawConnection',
  'cancelQuery',
  'checkVersion',
  'setSchemaSearchPath',
  'destroy',
  'positionBindings',
  'runner',
  '_acquireOnlyConnection',
  '_query',
  '_stream',
] as const satisfies readonly (keyof KnexDialect)[]

const EXPECTED = 'the function that Knex 3 exports, as in: import knex from "knex"'

/** The class to be extended, and the error that Knex throws where a connection was waited for too long. */
export interface KnexParts {
  readonly Dialect: KnexDialectClass
  readonly TimeoutError: new (message: string) => Error
}

export function partsOf(where: string, knex: unknown, dialect: unknown): KnexParts {
  if (typeof knex !== 'function')
    throw refusal(where, `the first argument is of type ${typeof knex} and no function`, EXPECTED)
  if ('client' in knex && 'raw' in knex)
    throw refusal(where, 'the first argument is an instance that Knex has made', EXPECTED)
  const TimeoutError = 'KnexTimeoutError' in knex ? knex.KnexTimeoutError : undefined
  if (typeof TimeoutError !== 'function')
    throw refusal(where, 'the first argument is a function without Client and KnexTimeoutError', EXPECTED)
  // An instance without a connection opens nothing, and there is no other way to a dialect without loading Knex.
  const Dialect: unknown = dialect ?? postgresDialect(knex)
  const prototype: unknown = typeof Dialect === 'function' ? Dialect.prototype : undefined
  const missing = NEEDED.filter(
    (method) =>
      typeof prototype !== 'object' ||
      prototype === null ||
      typeof Reflect.get(prototype, method) !== 'function',
  )
  if (missing.length > 0)
    throw refusal(
      where,
      dialect === undefined
        ? `the Postgres client of this Knex has no ${missing.join(', ')}`
        : `the dialect has no ${missing.join(', ')}`,
      dialect === undefined
        ? EXPECTED
        : "a class that extends Knex's client for Postgres, of the same copy of Knex",
    )
  return { Dialect: Dialect as KnexDialectClass, TimeoutError: TimeoutError as KnexParts['TimeoutError'] }
}

function postgresDialect(knex: Function): unknown {
  const instance: unknown = Reflect.apply(knex, undefined, [{ client: 'pg' }])
  const client: unknown = typeof instance === 'function' ? Reflect.get(instance, 'client') : undefined
  return typeof client === 'object' && client !== null ? client.constructor : undefined
}
