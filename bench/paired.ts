// Compares two ways of doing the same in slices A B B A, so that a drift of the machine hits both alike.
import { seededRandom } from '../test/support/seeded-random.js'

export interface Paired {
  /** Median over all quads of B - A, in the unit of the slices. */
  readonly difference: number
  /** The middle half of the quads. */
  readonly low: number
  readonly high: number
  readonly medianA: number
  readonly medianB: number
  /** Each quad's own, for whoever computes more than this. */
  readonly costsA: readonly number[]
  readonly costsB: readonly number[]
}

type Slice<Cost> = () => Cost | Promise<Cost>

/** Each slice gives its own cost. The first tenth of the quads warms up and is thrown away. */
export async function paired(quads: number, a: Slice<number>, b: Slice<number>): Promise<Paired> {
  const slice =
    (cost: Slice<number>): Slice<{ only: number }> =>
    async () => ({ only: await cost() })
  return (await pairedBy(['only'], quads, slice(a), slice(b))).only
}

/** The same for slices of which more than one cost is taken. */
export async function pairedBy<K extends string>(
  kinds: readonly K[],
  quads: number,
  a: Slice<Readonly<Record<K, number>>>,
  b: Slice<Readonly<Record<K, number>>>,
): Promise<Record<K, Paired>> {
  const taken: {
    readonly ofA: Readonly<Record<K, number>>[]
    readonly ofB: Readonly<Record<K, number>>[]
  }[] = []
  const warmUp = Math.ceil(quads / 10)
  for (let quad = -warmUp; quad < quads; quad++) {
    // Exchanged every other time: whoever comes first must not be the same one always.
    const [first, second] = quad % 2 === 0 ? [a, b] : [b, a]
    const outer = [await first()]
    const inner = [await second(), await second()]
    outer.push(await first())
    if (quad < 0) continue
    const [ofA, ofB] = first === a ? [outer, inner] : [inner, outer]
    taken.push({ ofA, ofB })
  }
  const summed = kinds.map((kind) => {
    const costs = (of: 'ofA' | 'ofB'): number[] =>
      taken.map((quad) => mean(quad[of].map((slice) => slice[kind])))
    return [kind, summary(costs('ofA'), costs('ofB'))]
  })
  return Object.fromEntries(summed) as Record<K, Paired>
}

function summary(costsA: readonly number[], costsB: readonly number[]): Paired {
  const differences = costsB.map((cost, quad) => cost - (costsA[quad] ?? Number.NaN))
  return {
    difference: quantile(differences, 0.5),
    low: quantile(differences, 0.25),
    high: quantile(differences, 0.75),
    medianA: quantile(costsA, 0.5),
    medianB: quantile(costsB, 0.5),
    costsA,
    costsB,
  }
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

const RESAMPLES = 1_000
/** Samples drawn again from fewer than these vary too little: the interval would hold the median in 85 of 100 cases. */
const FEW = 24
/** Drawing again from more than these takes long, and comes to the same as counting. */
const MANY = 500

/**
 * Where the true median lies in 95 of 100 repetitions, by bootstrap: percentiles of the medians of samples drawn from these
 * values with replacement. The same `seed` gives the same interval. From few values, and from very many, by counting.
 */
export function interval(values: readonly number[], seed: number): readonly [number, number] {
  const sorted = values.toSorted((a, b) => a - b)
  const count = sorted.length
  if (count < FEW || count > MANY) return counted(sorted)
  const random = seededRandom(seed)
  const draws = new Uint16Array(count)
  const medians = Array.from({ length: RESAMPLES }, () => {
    draws.fill(0)
    for (let nr = 0; nr < count; nr++) {
      const rank = Math.floor(random() * count)
      draws[rank] = (draws[rank] ?? 0) + 1
    }
    return sorted[middleOf(draws)] ?? Number.NaN
  })
  return [quantile(medians, 0.025), quantile(medians, 0.975)]
}

/** The rank of the median of a sample in which each rank was drawn so many times, without sorting it. */
function middleOf(draws: Uint16Array): number {
  let left = Math.floor(draws.length / 2) - (draws[0] ?? 0)
  let rank = 0
  while (left >= 0) left -= draws[++rank] ?? Infinity
  return rank
}

/** How many of so many samples lie below the median is binomial, whatever they are samples of. */
function counted(sorted: readonly number[]): readonly [number, number] {
  const count = sorted.length
  const below = Math.max(0, Math.floor((count - 1.96 * Math.sqrt(count) - 1) / 2))
  return [sorted[below] ?? Number.NaN, sorted[count - 1 - below] ?? Number.NaN]
}
