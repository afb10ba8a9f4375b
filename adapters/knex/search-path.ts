// The search path of connections that Knex shares with everybody else on the cutover: set when it differs, seen by Knex alone.
import type { KnexConnection } from './dialect.js'

type SearchPath = string | readonly string[] | undefined

interface Held {
  /** By identity: it is the value of one option, for as long as its Knex lives. */
  path: SearchPath
  byKnex: boolean
}

const connections = new WeakMap<KnexConnection, Held>()

/**
 * Sees to it that a connection which Knex has just been given has this path. Undefined where nothing has to be done,
 * which is so for every lease but a connection's first, as long as nobody else uses it.
 */
export function takePath(
  connection: KnexConnection,
  path: SearchPath,
  set: () => Promise<unknown>,
): Promise<unknown> | undefined {
  let held = connections.get(connection)
  if (held === undefined) {
    if (path === undefined) return undefined
    held = { path: undefined, byKnex: true }
    connections.set(connection, held)
    guard(connection, held)
  }
  held.byKnex = true
  if (held.path === path) return undefined
  held.path = path
  return path === undefined ? reset(connection) : set()
}

/** Knex gives the connection back. What it has set stays, for its own next lease. */
export function leavePath(connection: KnexConnection): void {
  const held = connections.get(connection)
  if (held) held.byKnex = false
}

// Whoever takes the connection next may be no Knex, and would silently work on another schema's tables. To undo the path
// after each lease would cost Knex two round trips a query; so its first statement is preceded by the undoing.
function guard(connection: KnexConnection, held: Held): void {
  const { query } = connection as { readonly query: Function }
  connection.query = function (this: KnexConnection, ...args) {
    if (!held.byKnex && held.path !== undefined) {
      held.path = undefined
      Reflect.apply(query, this, [RESET, () => {}])
    }
    return Reflect.apply(query, this, args)
  }
}

const RESET = 'reset search_path'

function reset(connection: KnexConnection): Promise<unknown> {
  return new Promise((resolve, reject) => {
    connection.query(RESET, (error: Error | null) => (error ? reject(error) : resolve(undefined)))
  })
}
