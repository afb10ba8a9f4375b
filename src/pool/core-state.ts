// The states of a process's gate, as a union: what cannot be at once cannot be written.
import type { Side } from '../phase/phases.js'
import type { ReleaseReport } from './gate.js'
import type { Acquisition } from './hold-queue.js'

export type CoreState =
  /** No phase yet: calls wait for it. */
  | { readonly kind: 'unknown' }
  /** No phase is coming: calls fail until one does. */
  | { readonly kind: 'refusing' }
  | { readonly kind: 'direct'; readonly side: Side }
  | { readonly kind: 'armed'; readonly side: Side }
  /** `shut`: nothing is admitted to the side any more, not even from inside a lease. */
  | { readonly kind: 'held'; readonly side: Side; readonly since: number; shut: boolean }
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
