// One line of the table of results: what was measured, its limit, and whether that is met.
import { interval, quantile, type Paired } from './paired.js'
import { seed } from './seed.js'

/** Of fewer the whole range holds the true median in less than 95 of 100 cases. */
const LEAST_FOR_INTERVAL = 6

export interface Outcome {
  readonly what: string
  readonly unit: string
  readonly measured: number
  readonly middleHalf?: readonly [number, number]
  /** Where the median of another run would lie in 95 of 100 cases, by bootstrap over the samples of this one. */
  readonly interval?: readonly [number, number]
  /** The same thing against itself, where two things are compared. */
  readonly same?: number
  readonly sameInterval?: readonly [number, number]
  /** Where a picture puts it: a line of several points, and the place on its axis. */
  readonly series?: string
  readonly x?: number
  readonly most?: number
  readonly least?: number
  readonly remark?: string
}

/** The cost of the second of a pair for each of the first's. */
export function ratio(what: string, added: Paired, same?: Paired, bound: Partial<Outcome> = {}): Outcome {
  return compared(what, (share) => 1 + share, added, same, bound)
}

/** How many of the second's there are in the time of one of the first's. */
export function throughput(
  what: string,
  added: Paired,
  same?: Paired,
  bound: Partial<Outcome> = {},
): Outcome {
  return compared(what, (share) => 1 / (1 + share), added, same, bound)
}

/** `told` gives what is told of a difference that is this share of the first's cost. */
function compared(
  what: string,
  told: (share: number) => number,
  added: Paired,
  same: Paired | undefined,
  bound: Partial<Outcome>,
): Outcome {
  const of = (pair: Paired, difference: number): number => round(told(difference / pair.medianA))
  const range = (pair: Paired, ends: readonly [number, number]): [number, number] => {
    const [low, high] = [of(pair, ends[0]), of(pair, ends[1])]
    return low <= high ? [low, high] : [high, low]
  }
  const likely = (pair: Paired): [number, number] | undefined => {
    const differences = pair.costsB.map((cost, quad) => cost - (pair.costsA[quad] ?? Number.NaN))
    return differences.length < LEAST_FOR_INTERVAL ? undefined : range(pair, interval(differences, seed()))
  }
  const ofAdded = likely(added)
  const ofSame = same && likely(same)
  return {
    what,
    unit: '×',
    measured: of(added, added.difference),
    middleHalf: range(added, [added.low, added.high]),
    ...(ofAdded && { interval: ofAdded }),
    ...(same && { same: of(same, same.difference) }),
    ...(ofSame && { sameInterval: ofSame }),
    ...bound,
  }
}

export function median(
  what: string,
  unit: string,
  values: readonly number[],
  bound: Partial<Outcome> = {},
): Outcome {
  const at = (share: number): number => round(quantile(values, share))
  return {
    what,
    unit,
    measured: at(0.5),
    // Of one there is no half.
    ...(values.length > 1 && { middleHalf: [at(0.25), at(0.75)] }),
    ...(values.length >= LEAST_FOR_INTERVAL && { interval: both(interval(values, seed()), round) }),
    ...bound,
  }
}

/** Undefined where there is no limit. */
export function isMet({ measured, most, least }: Outcome): boolean | undefined {
  if (most === undefined && least === undefined) return undefined
  return measured <= (most ?? Infinity) && measured >= (least ?? -Infinity)
}

export const HEAD = `| | measured | middle half | against itself | limit | met |
|---|---|---|---|---|---|`

export function line(outcome: Outcome): string {
  const { what, unit, measured, middleHalf, same, remark } = outcome
  const met = isMet(outcome)
  const cells = [
    what,
    `${shown(measured)} ${unit}${remark === undefined ? '' : ` (${remark})`}`,
    middleHalf?.map(shown).join(' to ') ?? '',
    same === undefined ? '' : shown(same),
    bound(outcome),
    met === undefined ? '' : met ? 'yes' : 'NO',
  ]
  return `| ${cells.join(' | ')} |`
}

/** Empty where there is no limit. */
export function bound({ most, least }: Outcome): string {
  const ends = [
    most === undefined ? '' : `at most ${shown(most)}`,
    least === undefined ? '' : `at least ${shown(least)}`,
  ]
  return ends.filter((end) => end !== '').join(', ')
}

export const shown = (value: number): string => value.toLocaleString('en', { maximumFractionDigits: 3 })

const both = ([a, b]: readonly [number, number], of: (value: number) => number): [number, number] => [
  of(a),
  of(b),
]

const round = (value: number): number => Number(value.toPrecision(4))
