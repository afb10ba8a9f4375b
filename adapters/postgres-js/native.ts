// What is used of postgres.js, by its shape, and whether what was handed in has it.
import { Stream } from 'node:stream'
import { refusal, shown } from '../options.js'

/** Sends a query on its way. A query keeps one from its making and calls it when it is executed. */
export interface Handler {
  (query: NativeQuery): unknown
  debug?: unknown
}

export interface NativeQuery {
  handler: Handler
  canceller: ((query: NativeQuery) => unknown) | null
  /** Both are assigned anew by a cursor for each of its batches. */
  resolve(value: unknown): void
  reject(error: unknown): void
  cancelled: unknown
}

export type QueryClass = new (
  strings: unknown,
  args: readonly unknown[],
  handler: Handler,
  canceller: (query: NativeQuery) => unknown,
) => NativeQuery

/** What a parameter made by `sql.array` knows: the array types by their elements. */
export interface ArrayParameter {
  array?: Readonly<Record<string, number>>
}

/** What every `sql` has: the root, a reserved one, the one of a transaction. */
export interface NativeScope {
  (first: unknown, ...rest: readonly unknown[]): unknown
  unsafe(...given: readonly unknown[]): NativeQuery
  file(...given: readonly unknown[]): NativeQuery
  array(...given: readonly unknown[]): ArrayParameter
  readonly json: unknown
  readonly typed: object
}

export interface NativeReserved extends NativeScope {
  release(): void
}

export interface NativeOptions {
  readonly host?: string | readonly string[]
  readonly port?: number | readonly number[]
  readonly path?: string | false
  readonly database?: string
  readonly max: number
  readonly debug?: unknown
  readonly shared: { readonly typeArrayMap: Readonly<Record<string, number>> }
}

export interface NativeSql extends NativeScope {
  begin(...given: readonly unknown[]): Promise<unknown>
  reserve(): Promise<NativeReserved>
  end(options?: { readonly timeout?: number | null }): Promise<void>
  readonly options: NativeOptions
  readonly parameters: unknown
  readonly PostgresError: unknown
  readonly CLOSE: unknown
}

const METHODS = ['unsafe', 'file', 'array', 'begin', 'reserve', 'end'] as const
const EXPECTED = 'a function that makes a new `sql` of postgres.js 3 (from 3.4 on) for a side'

/** Throws `ERR_OPTION` for anything but an `sql` of a version whose queries are known here. */
export function checkInstance(where: string, given: unknown): NativeSql {
  if (typeof given !== 'function') throw refusal(where, `open(side) gave ${shown(given)}`, EXPECTED)
  const missing = METHODS.find((method) => typeof Reflect.get(given, method) !== 'function')
  if (missing !== undefined) throw refusal(where, `open(side) gave a function without ${missing}`, EXPECTED)
  const sql = given as NativeSql
  const known = 'typeArrayMap' in (sql.options?.shared ?? {})
  // Makes a query that is never executed.
  const query = known ? sql.unsafe('') : undefined
  if (typeof query?.handler !== 'function' || typeof query.canceller !== 'function')
    throw refusal(where, 'open(side) gave an sql whose queries are made in a way that is not known', EXPECTED)
  return sql
}

/**
 * Resolves when nothing of an executed query is under way any more. Not by a `then`, after which a failure that nobody
 * looks at would be no unhandled rejection. A COPY has answered with its stream long before it is over.
 */
export function over(query: NativeQuery): Promise<void> {
  return new Promise((done) => {
    for (const verb of ['resolve', 'reject'] as const) {
      let settle: (value: unknown) => void = query[verb]
      const settled = (value: unknown): void => {
        settle(value)
        if (!(value instanceof Stream)) done()
      }
      Object.defineProperty(query, verb, {
        get: () => settled,
        set(next: typeof settle) {
          settle = next
        },
      })
    }
  })
}

/** As postgres.js says it. */
export function connectionEnded({ path, host, port }: NativeOptions): Error {
  const where = path ? { address: path } : { address: host, port }
  const code = 'CONNECTION_ENDED'
  return Object.assign(new Error(`write ${code} ${path || `${String(host)}:${String(port)}`}`), {
    code,
    errno: code,
    ...where,
  })
}
