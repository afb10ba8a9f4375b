// Latency buckets: close enough to the values, and the same whether they were counted in one process or in many.
import { expect, it } from 'vitest'
import {
  addMillis,
  bucketsFromText,
  bucketsToText,
  mergeBuckets,
  noBuckets,
  percentile,
} from '../../src/shadow/latency.js'

const of = (values: readonly number[]) => {
  const buckets = noBuckets()
  for (const value of values) addMillis(buckets, value)
  return buckets
}

it.each([0.02, 0.1, 0.99, 1, 1.01, 7, 42, 999, 60_000, 119_000])(
  'tells %s ms within a twentieth',
  (millis) => {
    const told = percentile(of([millis]), 0.5) ?? 0
    expect(Math.abs(told - millis) / millis).toBeLessThanOrEqual(0.05)
  },
)

it('keeps what lies outside of its range in the first and the last bucket', () => {
  const buckets = of([0, -1, 1e9, Number.POSITIVE_INFINITY, Number.NaN])
  expect(buckets.reduce((sum, count) => sum + count, 0)).toBe(5)
  expect(percentile(buckets, 0.5)).toBeLessThan(0.02)
  expect(percentile(buckets, 1)).toBeGreaterThan(100_000)
})

it('finds the shares of many values, and none of none', () => {
  const buckets = of(Array.from({ length: 1_000 }, (_, nr) => nr + 1))
  for (const [share, millis] of [
    [0, 1],
    [0.5, 500],
    [0.95, 950],
    [0.99, 990],
    [1, 1_000],
  ] as const)
    expect(Math.abs((percentile(buckets, share) ?? 0) / millis - 1)).toBeLessThanOrEqual(0.06)
  expect(percentile(noBuckets(), 0.5)).toBeUndefined()
})

it('adds up to what one process would have counted, also by way of their text', () => {
  const [some, more] = [
    [1, 2, 3, 500],
    [2, 900, 0.3],
  ]
  const merged = mergeBuckets(bucketsFromText(bucketsToText(of(some ?? []))), of(more ?? []))
  expect(merged).toEqual(of([...(some ?? []), ...(more ?? [])]))
  expect(bucketsToText(noBuckets())).toBe('')
})

it.each(['', 'x', 'zz.1', '-1.5', '1', '1.', '1.-4', '1.0', 'é.é'])('leaves %j out of a text', (text) => {
  expect(bucketsFromText(`2.3 ${text}`)).toEqual(bucketsFromText('2.3'))
})
