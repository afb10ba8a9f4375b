// The harness of the benchmarks: it sees a difference, no difference, and no drift.
import { describe, expect, it } from 'vitest'
import { interval, paired, quantile } from '../../bench/paired.js'
import { seededRandom } from '../support/seeded-random.js'

describe('paired', () => {
  it('sees a difference through a drift that is a hundred times as large', async () => {
    let drift = 0
    const cost = (own: number) => (): number => (drift += 10) + own
    const { difference, low, high } = await paired(40, cost(5), cost(5.1))
    expect(difference).toBeCloseTo(0.1)
    expect([low, high]).toEqual([expect.closeTo(0.1), expect.closeTo(0.1)])
  })

  it('sees none between the same', async () => {
    const { difference, medianA, medianB } = await paired(
      20,
      () => 3,
      () => Promise.resolve(3),
    )
    expect({ difference, medianA, medianB }).toEqual({ difference: 0, medianA: 3, medianB: 3 })
  })

  it('is not misled by one slice that was interrupted', async () => {
    let turn = 0
    const { difference } = await paired(
      20,
      () => (turn++ === 30 ? 1_000 : 1),
      () => 2,
    )
    expect(difference).toBe(1)
  })
})

describe('quantile', () => {
  it.each([
    [[3, 1, 2], 0.5, 2],
    [[3, 1, 2], 1, 3],
    [[3, 1, 2], 0, 1],
    [[7], 0.5, 7],
    [[], 0.5, Number.NaN],
  ])('of %o at %d is %d', (values, share, expected) => {
    expect(quantile(values, share)).toBe(expected)
  })
})

describe('interval', () => {
  const skewed = (seed: number, count: number): number[] => {
    const random = seededRandom(seed)
    return Array.from({ length: count }, () => -Math.log(1 - random()))
  }

  // Counted, drawn again, counted.
  it.each([6, 15, 24, 501])('of %d samples holds the true median in about 95 of 100 runs', (count) => {
    const runs = 200
    const held = Array.from({ length: runs }, (_, nr) => interval(skewed(nr + 1, count), nr)).filter(
      ([low, high]) => low <= Math.LN2 && Math.LN2 <= high,
    )
    expect(held.length / runs).toBeGreaterThan(0.9)
    expect(held.length / runs).toBeLessThan(0.99)
  })

  it('is the same with the same seed, and another with another', () => {
    const values = skewed(7, 100)
    expect(interval(values, 3)).toEqual(interval(values, 3))
    expect(interval(values, 4)).not.toEqual(interval(values, 3))
  })

  it('grows narrower with more samples', () => {
    const widths = [10, 40, 160, 640].map((count) => {
      const [low, high] = interval(skewed(1, count), 1)
      return high - low
    })
    expect(widths).toEqual(widths.toSorted((a, b) => b - a))
  })
})
