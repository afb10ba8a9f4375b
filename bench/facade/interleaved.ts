// Compares the facade with two raw pools in slices that lie within each other, so that one run tells the difference and the noise.
import { quantile } from '../paired.js'

const CONTENDERS = ['raw', 'again', 'facade'] as const
export type Contender = (typeof CONTENDERS)[number]

export interface Slice {
  /** A call. */
  readonly cpuMicros: number
  /** What each caller waited, one for each call. */
  readonly waited: readonly number[]
}

/** Of each round: what the facade takes in terms of both raw pools, and the one of them in terms of the other. */
export interface Ratios {
  readonly facade: readonly number[]
  readonly same: readonly number[]
}

export interface Compared {
  readonly cpu: Ratios
  readonly p50: Ratios
  /** Medians over the rounds, of the first raw pool and of the facade. */
  readonly cpuMicros: number
  readonly millis: Readonly<Record<'raw' | 'facade', { readonly p50: number; readonly p99: number }>>
}

type Costs = Record<Contender, Slice[]>

/**
 * Each round is a palindrome of six slices, in which a drift hits all three alike; who begins changes from round to round.
 * The first tenth of the rounds warms up and is thrown away.
 */
export async function interleaved(
  rounds: number,
  slice: (contender: Contender) => Promise<Slice>,
): Promise<Compared> {
  const taken: Costs[] = []
  for (let round = -Math.ceil(rounds / 10); round < rounds; round++) {
    const costs: Costs = { raw: [], again: [], facade: [] }
    const first = Math.abs(round) % CONTENDERS.length
    const order = [...CONTENDERS.slice(first), ...CONTENDERS.slice(0, first)]
    for (const contender of [...order, ...order.toReversed()]) costs[contender].push(await slice(contender))
    if (round >= 0) taken.push(costs)
  }
  const ofRounds = (cost: (slices: readonly Slice[]) => number): Record<Contender, number[]> => ({
    raw: taken.map(({ raw }) => cost(raw)),
    again: taken.map(({ again }) => cost(again)),
    facade: taken.map(({ facade }) => cost(facade)),
  })
  const cpu = ofRounds((slices) => mean(slices.map(({ cpuMicros }) => cpuMicros)))
  const waits = (contender: Contender): number[] =>
    taken.flatMap((costs) => costs[contender].flatMap(({ waited }) => waited))
  const of = (contender: Contender) => {
    const all = waits(contender)
    return { p50: quantile(all, 0.5), p99: quantile(all, 0.99) }
  }
  return {
    cpu: ratios(cpu),
    p50: ratios(
      ofRounds((slices) =>
        quantile(
          slices.flatMap(({ waited }) => waited),
          0.5,
        ),
      ),
    ),
    cpuMicros: quantile(cpu.raw, 0.5),
    millis: { raw: of('raw'), facade: of('facade') },
  }
}

function ratios({ raw, again, facade }: Readonly<Record<Contender, readonly number[]>>): Ratios {
  const at = (values: readonly number[], round: number): number => values[round] ?? Number.NaN
  return {
    // Two raw pools are less noisy than one.
    facade: facade.map((cost, round) => cost / mean([at(raw, round), at(again, round)])),
    same: again.map((cost, round) => cost / at(raw, round)),
  }
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length
