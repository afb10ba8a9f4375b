// Tells how much of an answer was the server's choice, where a LIMIT left it one.
import type { Bound, OwnLimit } from '../reads/own-limit.js'
import type { Answer } from './answer.js'

/**
 * Whether two answers of one statement may differ by the servers' choice. How many rows come out of a LIMIT is nobody's
 * choice, nor which ones where there were fewer than it allows. `own` is undefined where something else leaves a choice.
 */
export function mayDiffer(
  own: OwnLimit | undefined,
  values: readonly unknown[],
  one: Answer,
  other: Answer,
): boolean {
  if (own === undefined) return true
  if (one.rowCount !== other.rowCount) return false
  return numberOf(own.offset, values, 0) !== 0 || !(one.rowCount < numberOf(own.limit, values, Infinity))
}

/** NaN where it is not known. A parameter that is NULL says nothing. */
function numberOf(bound: Bound, values: readonly unknown[], absent: number): number {
  if (typeof bound === 'number') return bound
  const value = bound === undefined ? undefined : (values[bound.parameter - 1] ?? absent)
  return typeof value === 'string' || typeof value === 'bigint' || typeof value === 'number'
    ? Number(value)
    : Number.NaN
}
