// The parts of the benchmark of a fleet that its figures rest on.
import { expect, it } from 'vitest'
import { pauseOf, stepsOf } from '../../bench/fleet/pauses.js'
import type { Span, Told } from '../../bench/fleet/words.js'
import type { CutoverEvent } from '../../src/index.js'

const none: Span = { first: undefined, last: undefined, count: 0 }
const span = (first: number, last: number, count: number): Span => ({ first, last, count })

const told = (old: Span, opened: Span, more: Partial<Told> = {}): Told => ({
  old,
  new: opened,
  longestMillis: 3,
  failed: 0,
  failure: undefined,
  cpuMicros: 1,
  millis: 500,
  ...more,
})

const event = (more: Partial<CutoverEvent> = {}): CutoverEvent => ({
  name: 'bench',
  epoch: 1,
  direction: 'old→new',
  outcome: 'done',
  pauseMillis: 1,
  longestHeldMillis: 1,
  steps: { hold: 2 },
  ...more,
})

it('measures from the last write of anyone on the one side to the first of anyone on the other', () => {
  const all = [
    told(span(0, 100, 20), span(130, 400, 30), { longestMillis: 41 }),
    told(span(1, 108, 20), span(126, 401, 29), { failed: 1, failure: 'refused' }),
    // Without a write on the side that was left since the measuring began.
    told(none, span(140, 390, 1)),
  ]
  expect(pauseOf(all, event())).toEqual({
    pauseMillis: 18,
    longestMillis: 41,
    writesASecond: 200,
    failed: 1,
    failure: 'refused',
    steps: { hold: 2 },
  })
})

it('measures the way back with the sides exchanged', () => {
  const all = [told(span(130, 400, 30), span(0, 100, 20))]
  expect(pauseOf(all, event({ direction: 'new→old' })).pauseMillis).toBe(30)
})

it.each([
  [undefined, 'was not changed'],
  [event({ outcome: 'aborted', reason: 'somebody was late' }), 'somebody was late'],
])('measures nothing where the writer was not changed', (outcome, message) => {
  expect(() => pauseOf([told(none, none)], outcome)).toThrow(message)
})

it('gives each step what it took in each move that had it', () => {
  const pause = pauseOf([told(span(0, 1, 1), span(2, 3, 1))], event())
  const steps = [{ hold: 1, open: 9 }, { hold: 5, open: 3 }, { hold: 3 }]
  expect([...stepsOf(steps.map((one) => ({ ...pause, steps: one })))]).toEqual([
    ['hold', [1, 5, 3]],
    ['open', [9, 3]],
  ])
})
