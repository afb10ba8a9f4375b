// How many keys a backfill may put on record: by its rate, by what waits there, and by how slow the servers are.
import { describe, expect, it } from 'vitest'
import { BackfillThrottle, RowRate } from '../../src/dual-write/throttle.js'

const AS_FAST_AS_IT_GOES = { batchRows: 2_000, backfillRowsPerSecond: Infinity }

describe('a rate of rows', () => {
  it('lets a batch go at once, and the next one after as long as that is worth', () => {
    const rate = new RowRate(1_000)
    expect(rate.pauseMillis(5_000)).toBe(0)
    rate.took(500, 5_000)
    expect(rate.pauseMillis(5_000)).toBe(500)
    expect(rate.pauseMillis(5_499)).toBeCloseTo(1)
    expect(rate.pauseMillis(5_501)).toBe(0)
  })

  it('saves nothing up while nothing goes', () => {
    const rate = new RowRate(1_000)
    rate.took(500, 5_000)
    rate.took(500, 60_000)
    expect(rate.pauseMillis(60_000)).toBe(500)
  })

  it('has no bound at Infinity', () => {
    const rate = new RowRate(Infinity)
    rate.took(1_000_000, 0)
    expect(rate.pauseMillis(0)).toBe(0)
  })
})

describe('a backfill', () => {
  it('goes on batch by batch while the servers are quick', () => {
    const throttle = new BackfillThrottle(AS_FAST_AS_IT_GOES)
    expect(throttle.next(0, 0)).toBe(2_000)
    throttle.stepped(2_000, 30, 10, 30)
    expect(throttle.next(2_000, 30)).toBe(2_000)
  })

  it('waits while two batches are on record', () => {
    const throttle = new BackfillThrottle(AS_FAST_AS_IT_GOES)
    expect([0, 2_500, 3_100, 4_000, 900_000].map((rows) => throttle.next(rows, 0))).toEqual([
      2_000, 1_500, 0, 0, 0,
    ])
  })

  it('keeps to its rate, in small steps', () => {
    const throttle = new BackfillThrottle({ batchRows: 2_000, backfillRowsPerSecond: 1_000 })
    expect(throttle.next(0, 0)).toBe(100)
    throttle.stepped(100, 5, 0, 0)
    expect([throttle.next(0, 99), throttle.next(0, 101)]).toEqual([0, 100])
  })

  it.each([
    ['a step is slow', 400, 0, 1_600],
    ['live changes are slow', 10, 30_000, 4_000],
  ])('halves its steps and rests when %s, and comes back', (_, millis, lag, rest) => {
    const throttle = new BackfillThrottle(AS_FAST_AS_IT_GOES)
    throttle.stepped(2_000, millis, lag, 0)
    expect([throttle.next(0, rest - 1), throttle.next(0, rest + 1)]).toEqual([0, 1_000])
    for (let at = 10_000; at < 10_004; at++) throttle.stepped(1, 1, 1, at)
    expect(throttle.next(0, 20_000)).toBe(2_000)
  })

  it('never stops, however slow the servers are', () => {
    const throttle = new BackfillThrottle(AS_FAST_AS_IT_GOES)
    for (let turn = 0; turn < 50; turn++) throttle.stepped(100, 1_000, 1_000, 0)
    expect(throttle.next(0, 4_001)).toBe(100)
  })
})
