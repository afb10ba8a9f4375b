// The states of a process's gate, as a union: what cannot be at once cannot be written.
import type { Side } from '../phase/phases.js'
import type { ReleaseReport } from './gate.js'
import type { Acquisition } from './hold-queue.js'
import type { SidePool } from './side-pool.js'
import type { LineGoal } from './waiting-line.js'

export type CoreState =
  /** No phase yet: calls wait for it. */
  | { readonly kind: 'unknown' }
  /** No phase is coming: calls fail until one does. */
  | { readonly kind: 'refusing' }
  | { readonly kind: 'direct'; readonly side: Side }
  | { readonly kind: 'armed'; readonly side: Side }
  /**
   * `shut`: nothing is admitted to the side any more, not even from inside a lease. `reads`: what is known to only read
   * goes on there, over connections of its own.
   */
  | { readonly kind: 'held'; readonly side: Side; readonly since: number; shut: boolean; reads: boolean }
  /** `last` was the last of the line when it was let go; what came after it is ordinary waiting. */
  | { readonly kind: 'releasing'; readonly side: Side; readonly last: Acquisition | undefined }
  | { readonly kind: 'ended' }

/** Whether calls pass the facade's own line. */
export const isGated = (state: CoreState): boolean => !['direct', 'ended', 'refusing'].includes(state.kind)

/** Held, and what belongs to work under way may still start. */
export const isDraining = (state: CoreState): boolean => state.kind === 'held' && !state.shut

/** What a hold has cost up to now; nothing in any other state. */
export function reportOf(state: CoreState, held: number, oldest: Acquisition | undefined): ReleaseReport {
  if (state.kind !== 'held') return { held: 0, longestHeldMillis: 0, pauseMillis: 0 }
  const now = performance.now()
  const longestHeldMillis = oldest ? now - Math.max(oldest.queuedAt, state.since) : 0
  return { held, longestHeldMillis, pauseMillis: now - state.since }
}

/** What the line in front of this pool may do. */
export function goalOf(state: CoreState, pool: SidePool): LineGoal | undefined {
  const nestedOnly = isDraining(state)
  if (state.kind !== 'armed' && state.kind !== 'releasing' && !nestedOnly) return undefined
  const overflow = state.kind === 'releasing' && state.last?.queue === undefined
  return { pool, nestedOnly, overflow }
}
