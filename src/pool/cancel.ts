// Finds the server on which a statement runs, for those who want to cancel it.
import { otherSide, type Side } from '../phase/phases.js'
import { clientConfig } from './client-config.js'
import { isBusy, isInTransaction, type InnerClient } from './pg-internals.js'
import type { PoolCore } from './pool-core.js'
import { sessionClient } from './session-client.js'

/** pg's own request to cancel, over a connection of its own to the side. */
export function requestCancel(core: PoolCore, side: Side, target: unknown, query: unknown): void {
  const { inner } = core.pools[side]
  const client = sessionClient(inner, clientConfig(inner, {}), undefined)
  // Nobody is told whether it came through, as with pg's own.
  client.connection.on('error', () => {})
  client.cancel(target, query)
}

/**
 * The side on which a backend of this process has this number. Where both have one, the one that is at work; where the
 * number is unknown, the side in use.
 */
export function sideOfBackend({ pools, side }: PoolCore, processId: number): Side {
  const rank = (one: Side): number => {
    const client = pools[one].clientOf(processId)
    if (client !== undefined) return isAtWork(client) ? 3 : 2
    return pools[one].backends.all().includes(processId) ? 1 : 0
  }
  const other = otherSide(side)
  return rank(other) > rank(side) ? other : side
}

const isAtWork = (client: InnerClient): boolean => isBusy(client) || isInTransaction(client)
