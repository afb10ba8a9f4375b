// What the gate of a process is made of, and who looks at it.
import type { CutoverEvents } from '../events.js'
import type { Side } from '../phase/phases.js'
import type { KnownTexts } from '../reads/known-texts.js'
import type { FenceMessage } from './fence-error.js'
import type { HoldLease } from './gate.js'
import type { InnerClient, InnerPool } from './pg-internals.js'
import type { Route } from './route.js'

/** A view of the core that callers hold: the facade itself. */
export interface CoreView {
  swapRoute(route: Route): void
  listenerCount(event: 'error'): number
  emitPoolError(error: Error, client: InnerClient): void
}

export interface PoolCoreOptions {
  readonly name: string
  readonly pools: Readonly<Record<Side, { readonly inner: InnerPool; readonly handedIn: boolean }>>
  readonly events: CutoverEvents
  readonly texts: Pick<KnownTexts, 'load' | 'isOnePlainStatement' | 'isRead'>
  /** How many reads may run at once while new work is held; undefined: the `max` of the side's pool, at most 10. */
  readonly heldReadsMax?: number | undefined
  /** A statement met a fence: says what to do about it, or undefined to leave it to the caller. */
  readonly onFence: ((fence: FenceMessage, side: Side) => HoldLease | undefined) | undefined
}
