// Outcomes in a unit of their own, told against the same measured once more.
import { median, type Outcome } from './outcome.js'
import type { Paired } from './paired.js'

export function againstItself(
  what: string,
  unit: string,
  values: readonly number[],
  again: readonly number[],
  bound: Partial<Outcome> = {},
): Outcome {
  const same = median(what, unit, again)
  return median(what, unit, values, {
    same: same.measured,
    ...(same.interval && { sameInterval: same.interval }),
    ...bound,
  })
}

/** What the second of a pair costs above the first; the same pair without a difference is what it is told against. */
export const difference = (
  what: string,
  unit: string,
  added: Paired,
  same: Paired,
  bound: Partial<Outcome> = {},
): Outcome => againstItself(what, unit, above(added), above(same), bound)

const above = ({ costsA, costsB }: Paired): number[] =>
  costsB.map((cost, quad) => cost - (costsA[quad] ?? Number.NaN))
