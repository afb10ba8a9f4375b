// What the second of a pair costs above the first, where that is told in a unit and not as a ratio.
import { median, type Outcome } from './outcome.js'
import type { Paired } from './paired.js'

const above = ({ costsA, costsB }: Paired): number[] =>
  costsB.map((cost, quad) => cost - (costsA[quad] ?? Number.NaN))

export function difference(
  what: string,
  unit: string,
  added: Paired,
  same: Paired,
  bound: Partial<Outcome> = {},
): Outcome {
  const against = median(what, unit, above(same))
  return median(what, unit, above(added), {
    same: against.measured,
    ...(against.interval && { sameInterval: against.interval }),
    ...bound,
  })
}
