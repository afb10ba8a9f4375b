// Puts values on a line of the picture, evenly or by their powers of ten, with the numbers that are written along it.

export interface Axis {
  readonly at: (value: number) => number
  readonly ticks: readonly number[]
}

/** Where `low` and `high` of what is drawn come to lie, in the picture's own units. */
export interface Reach {
  readonly from: number
  readonly to: number
}

const STEPS = 5

export function axis(values: readonly number[], scale: 'linear' | 'log', reach: Reach): Axis {
  return scale === 'log' ? logarithmic(values, reach) : linear(values, reach)
}

function linear(values: readonly number[], { from, to }: Reach): Axis {
  const least = Math.min(...values)
  const most = Math.max(...values)
  const step = roundStep((most - least || 1) / STEPS)
  const low = Math.floor(least / step)
  const high = Math.max(Math.ceil(most / step), low + 1)
  return {
    at: (value) => from + ((value / step - low) / (high - low)) * (to - from),
    ticks: Array.from({ length: high - low + 1 }, (_, nr) => clean((low + nr) * step)),
  }
}

/** What is not above zero has no place on it and lies at its beginning. */
function logarithmic(values: readonly number[], { from, to }: Reach): Axis {
  const powers = values.filter((value) => value > 0).map(Math.log10)
  if (powers.length === 0) return linear(values, { from, to })
  const low = Math.floor(Math.min(...powers))
  const high = Math.max(Math.ceil(Math.max(...powers)), low + 1)
  const place = (value: number): number => (value > 0 ? Math.max(Math.log10(value), low) : low)
  return {
    at: (value) => from + ((place(value) - low) / (high - low)) * (to - from),
    ticks: Array.from({ length: high - low + 1 }, (_, nr) => clean(10 ** (low + nr))),
  }
}

/** The next of 1, 2 and 5 with its power of ten. */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step))
  return power * (([1, 2, 5] as const).find((one) => one * power >= step) ?? 10)
}

/** Without what a sum of tenths leaves behind. */
const clean = (value: number): number => Number(value.toPrecision(12))
