// How far ahead a sequence is set, and when it falls short: every direction, bound, cache and circle.
import { describe, expect, it } from 'vitest'
import { fallsShort, roomOf, targetOf } from '../../src/mirror/sequence-target.js'
import type { SequenceState } from '../../src/mirror/sequence-target.js'

const MAX = 9_223_372_036_854_775_807n

const sequence = (changes: Partial<SequenceState> = {}): SequenceState => ({
  schema: 'public',
  name: 's',
  last: 1n,
  called: true,
  increment: 1n,
  cache: 1n,
  min: 1n,
  max: MAX,
  cycle: false,
  ...changes,
})

const down = { increment: -1n, min: -MAX, max: -1n }
const circle = { cycle: true, max: 100n }

describe('the target', () => {
  it.each([
    ['used', { last: 50n }, {}, 1_050n],
    ['unused', { last: 1n, called: false }, {}, 1_000n],
    ['set ahead but not used', { last: 500n, called: false }, {}, 1_499n],
    ['in steps of ten', { last: 50n, increment: 10n }, {}, 10_050n],
    ['with a large cache', { last: 50n, cache: 100n }, {}, 10_050n],
    ['downwards', { ...down, last: -50n }, down, -1_050n],
    ['near its end: half the room', { last: 60n, max: 100n }, { max: 100n }, 80n],
    ['near the other side’s end', { last: 60n }, { max: 100n }, 80n],
    ['at its end', { last: 100n, max: 100n }, { max: 100n }, 100n],
    ['downwards near its end', { ...down, last: -60n }, { min: -100n }, -80n],
    ['on a circle', { ...circle, last: 10n }, circle, 60n],
    ['on a circle, round its end', { ...circle, last: 80n }, circle, 30n],
    ['at the largest value of all', { last: MAX }, {}, MAX],
  ] as const)('of a sequence %s', (_, left, right, expected) => {
    expect(targetOf(sequence(left), sequence(right))).toBe(expected)
  })
})

describe('falls short', () => {
  it.each([
    ['behind', { last: 10n }, { last: 9n }, true],
    ['level', { last: 10n }, { last: 10n }, false],
    ['level, but the value itself is to come', { last: 10n }, { last: 10n, called: false }, true],
    ['one ahead, to come', { last: 10n }, { last: 11n, called: false }, false],
    ['both unused', { called: false }, { called: false }, false],
    ['ahead', { last: 10n }, { last: 1_000n }, false],
    ['downwards, behind', { ...down, last: -10n }, { ...down, last: -9n }, true],
    ['downwards, ahead', { ...down, last: -10n }, { ...down, last: -11n }, false],
    ['on a circle, ahead round the end', { ...circle, last: 90n }, { ...circle, last: 20n }, false],
    ['on a circle, behind', { ...circle, last: 20n }, { ...circle, last: 10n }, true],
  ] as const)('%s', (_, left, right, expected) => {
    expect(fallsShort(sequence(left), sequence(right))).toBe(expected)
  })
})

it.each([
  [{ last: 60n }, { max: 100n }, 40n],
  [{ last: 100n }, { max: 100n }, 0n],
  [{ last: 2_147_483_648n }, { max: 2_147_483_647n }, 0n],
  [{ last: 1n, called: false, increment: 10n }, { max: 100n }, 10n],
] as const)('knows the room that is left', (left, right, expected) => {
  expect(roomOf(sequence(left), sequence(right))).toBe(expected)
})

it('never hands out a value twice after it was set to its target', () => {
  for (const left of [
    sequence({ last: 7n }),
    sequence({ ...down, last: -7n }),
    sequence({ called: false }),
  ]) {
    const right = sequence({ ...left, last: targetOf(left, left), called: true })
    expect(fallsShort(left, right)).toBe(false)
  }
})
