// One line of the table of results: what was measured, its limit, and whether that is met.
import { quantile, type Paired } from './paired.js'

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
  const of = (pair: Paired, difference: number): number => round(1 + difference / pair.medianA)
  return {
    what,
    unit: '×',
    measured: of(added, added.difference),
    middleHalf: [of(added, added.low), of(added, added.high)],
    ...(same && { same: of(same, same.difference) }),
    ...bound,
  }
}

/** How many of the second's there are in the time of one of the first's. */
export function throughput(
  what: string,
  added: Paired,
  same?: Paired,
  bound: Partial<Outcome> = {},
): Outcome {
  const of = (pair: Paired, difference: number): number => round(1 / (1 + difference / pair.medianA))
  return {
    what,
    unit: '×',
    measured: of(added, added.difference),
    middleHalf: [of(added, added.high), of(added, added.low)],
    ...(same && { same: of(same, same.difference) }),
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
  return { what, unit, measured: at(0.5), middleHalf: [at(0.25), at(0.75)], ...bound }
}

/** Undefined where there is no limit. */
export function isMet({ measured, most, least }: Outcome): boolean | undefined {
  if (most === undefined && least === undefined) return undefined
  return measured <= (most ?? Infinity) && measured >= (least ?? -Infinity)
}

export const HEAD = `| | measured | middle half | against itself | limit | met |
|---|---|---|---|---|---|`

export function line(outcome: Outcome): string {
  const { what, unit, measured, middleHalf, same, most, least, remark } = outcome
  const met = isMet(outcome)
  const cells = [
    what,
    `${shown(measured)} ${unit}${remark === undefined ? '' : ` (${remark})`}`,
    middleHalf?.map(shown).join(' to ') ?? '',
    same === undefined ? '' : shown(same),
    most !== undefined ? `at most ${shown(most)}` : least !== undefined ? `at least ${shown(least)}` : '',
    met === undefined ? '' : met ? 'yes' : 'NO',
  ]
  return `| ${cells.join(' | ')} |`
}

const shown = (value: number): string => value.toLocaleString('en', { maximumFractionDigits: 3 })

const round = (value: number): number => Number(value.toPrecision(4))
