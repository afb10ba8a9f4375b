// Requests to cancel a statement go to the server that runs it, also while everything else waits for a move to end.
import { otherSide, type Side } from '../phase/phases.js'
import { clientConfig } from './client-config.js'
import { failStatement, holdStatement } from './held-statement.js'
import {
  isBusy,
  isInTransaction,
  sessionClient,
  type InnerClient,
  type SessionClient,
} from './pg-internals.js'
import type { SidePool } from './side-pool.js'

interface Backends {
  readonly side: Side
  readonly pools: Readonly<Record<Side, SidePool>>
}

// One call as the whole statement; with anything else in it, it is a statement like any other.
const CALL =
  /^\s*select\s+(?:pg_catalog\.)?"?pg_(?:cancel|terminate)_backend"?\s*\(\s*(?:\$(\d+)|'?(\d+)'?)\s*(?:::\s*\w+\s*)?(?:,[^;]*)?\)[^;]*;?\s*$/i

/** The backend that a statement asks to cancel or to terminate; undefined for every other statement. */
export function backendToCancel(config: unknown, values: unknown): number | undefined {
  const { text, values: own } = Object(config) as { text?: unknown; values?: unknown }
  const match = CALL.exec(typeof config === 'string' ? config : typeof text === 'string' ? text : '')
  if (match === null) return undefined
  const [, at, literal] = match
  const given: unknown = Array.isArray(values) ? values : own
  const named: unknown = at === undefined ? literal : Array.isArray(given) ? given[Number(at) - 1] : undefined
  const processId = Number(named)
  return Number.isSafeInteger(processId) && processId > 0 ? processId : undefined
}

/**
 * The side on which a backend of this process has this number. Where both have one, the one that is at work; where the
 * number is unknown, the side in use.
 */
export function sideOfBackend({ pools, side }: Backends, processId: number): Side {
  const rank = (one: Side): number => {
    const client = clientOf(pools[one], processId)
    if (client !== undefined) return isAtWork(client) ? 3 : 2
    return pools[one].backends.all().includes(processId) ? 1 : 0
  }
  const other = otherSide(side)
  return rank(other) > rank(side) ? other : side
}

/** pg's own request to cancel, over a connection of its own to the side. */
export function requestCancel(pool: SidePool, target: unknown, query: unknown): void {
  const client = oneMore(pool)
  // Nobody is told whether it came through, as with pg's own.
  client.connection.on('error', () => {})
  client.cancel(target, query)
}

/** Runs one statement on a connection of its own to the side. */
export function queryAside(pool: SidePool, config: unknown, values: unknown, callback: unknown): unknown {
  const held = holdStatement(config, values, callback, Promise)
  const client = oneMore(pool)
  client.on('error', () => {})
  client.connect((error?: Error | null) => {
    if (error) return failStatement(held, error, client.connection)
    // With a statement under way `end` would cut it off.
    client.once('drain', () => void client.end())
    client.query(held.statement)
  })
  return held.result
}

const oneMore = ({ inner }: SidePool): SessionClient => sessionClient(inner, clientConfig(inner, {}))

/** The connected client that has this backend, if one is known. */
function clientOf({ watching }: SidePool, processId: number): InnerClient | undefined {
  for (const client of watching.keys()) if (client.processID === processId) return client
  return undefined
}

const isAtWork = (client: InnerClient): boolean => isBusy(client) || isInTransaction(client)
