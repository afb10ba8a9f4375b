// Tells the views that a client which nobody had out has failed.
import type { InnerClient } from './pg-internals.js'
import type { CoreView } from './pool-core-options.js'

/**
 * As with pg, an error of an idle client that nobody listens to ends the process. One view with a listener is enough to
 * prevent that: a library seldom sets one on the pool that it was given.
 */
export function idleFailed(views: Iterable<CoreView>, error: Error, client: InnerClient): void {
  const all = [...views]
  const listening = all.filter((view) => view.listenerCount('error') > 0)
  for (const view of listening.length > 0 ? listening : all.slice(0, 1)) view.emitPoolError(error, client)
}
