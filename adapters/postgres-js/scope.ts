// An `sql` that makes postgres.js' own queries, and has them executed wherever its route leads at that moment.
import type { ArrayParameter, Handler, NativeQuery, NativeScope, QueryClass } from './native.js'

/** Where a query may be sent to. */
export interface Target {
  readonly scope: NativeScope
  readonly handler: Handler
  cancel(query: NativeQuery): unknown
}

export interface Route {
  /** Called when the query is executed, not when it is made. */
  execute(query: NativeQuery, send: (target: Target) => unknown): void
  cancel(query: NativeQuery): unknown
}

export function targetOf(scope: NativeScope): Target {
  const { handler, canceller } = scope.unsafe('')
  return { scope, handler, cancel: (query) => canceller?.(query) }
}

/**
 * Queries are lazy: until one is executed it is text and arguments, and none of it knows of a connection. So those of one
 * instance may be executed by another, and be fragments of any query, one of a transaction included.
 */
export function scopeOf(
  native: () => NativeScope,
  arrayTypes: ArrayParameter['array'] | undefined,
  route: Route,
): NativeScope {
  const model = native().unsafe('')
  const Query = model.constructor as QueryClass
  const handler: Handler = (query) => route.execute(query, (target) => target.handler(query))
  handler.debug = model.handler.debug
  const cancel = (query: NativeQuery): unknown => route.cancel(query)

  const routed = (query: NativeQuery, by: Handler): NativeQuery =>
    Object.assign(query, { handler: by, canceller: cancel })

  // Made here and not by the instance, whose own frame would hide the caller's in the few that an error's origin keeps.
  const sql = (first: unknown, ...rest: readonly unknown[]): unknown =>
    isTemplate(first) ? new Query(first, rest, handler, cancel) : native()(first, ...rest)

  const { typed, json } = native()
  return Object.assign(sql, {
    typed,
    types: typed,
    json,
    unsafe: (...given: readonly unknown[]) => routed(native().unsafe(...given), handler),
    // Only the handler of such a query knows which file it is to read.
    file: (...given: readonly unknown[]) =>
      routed(native().file(...given), (query) =>
        route.execute(query, (target) => target.scope.file(...given).handler(query)),
      ),
    array: (...given: readonly unknown[]) => {
      const parameter = native().array(...given)
      return arrayTypes === undefined ? parameter : Object.assign(parameter, { array: arrayTypes })
    },
    notify: async (channel: unknown, payload: unknown) =>
      await sql`select pg_notify(${channel}, ${String(payload)})`,
  })
}

const isTemplate = (value: unknown): boolean =>
  Array.isArray(value) && Array.isArray(Reflect.get(value, 'raw'))
