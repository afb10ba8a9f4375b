// Tells the views that a client which nobody had out has failed.
import type { Side } from '../phase/phases.js'
import type { InnerClient } from './pg-internals.js'
import type { CoreView, PoolCoreOptions } from './pool-core-options.js'

/**
 * As with pg, an error of an idle client that nobody listens to ends the process. One view with a listener is enough to
 * prevent that: a library seldom sets one on the pool that it was given. The side that is not in use is an event alone.
 */
export function idleFailed(
  gate: { readonly side: Side; readonly views: ReadonlySet<CoreView> },
  { name, events }: Pick<PoolCoreOptions, 'name' | 'events'>,
  failed: { readonly side: Side; readonly error: Error; readonly client: InnerClient },
): void {
  const { side, error, client } = failed
  if (side !== gate.side) return events.publish('sideError', { name, side, error })
  const all = [...gate.views]
  const listening = all.filter((view) => view.listenerCount('error') > 0)
  for (const view of listening.length > 0 ? listening : all.slice(0, 1)) view.emitPoolError(error, client)
}
