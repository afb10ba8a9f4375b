// Compares two ways of doing the same in slices A B B A, so that a drift of the machine hits both alike.

export interface Paired {
  /** Median over all quads of B - A, in the unit of the slices. */
  readonly difference: number
  /** The middle half of the quads. */
  readonly low: number
  readonly high: number
  readonly medianA: number
  readonly medianB: number
}

type Slice = () => number | Promise<number>

/** Each slice gives its own cost. The first tenth of the quads warms up and is thrown away. */
export async function paired(quads: number, a: Slice, b: Slice): Promise<Paired> {
  const differences: number[] = []
  const costsA: number[] = []
  const costsB: number[] = []
  const warmUp = Math.ceil(quads / 10)
  for (let quad = -warmUp; quad < quads; quad++) {
    // Exchanged every other time: whoever comes first must not be the same one always.
    const [first, second] = quad % 2 === 0 ? [a, b] : [b, a]
    const outer = [await first()]
    const inner = [await second(), await second()]
    outer.push(await first())
    if (quad < 0) continue
    const [ofA, ofB] = first === a ? [outer, inner] : [inner, outer]
    costsA.push(mean(ofA))
    costsB.push(mean(ofB))
    differences.push(mean(ofB) - mean(ofA))
  }
  return {
    difference: quantile(differences, 0.5),
    low: quantile(differences, 0.25),
    high: quantile(differences, 0.75),
    medianA: quantile(costsA, 0.5),
    medianB: quantile(costsB, 0.5),
  }
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
