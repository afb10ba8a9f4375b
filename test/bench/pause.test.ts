// The parts of the benchmark of the pause that its figures rest on.
import type pg from 'pg'
import { setImmediate as turn } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { moveOf, type Seen } from '../../bench/pause/move.js'
import { Traffic, type Call } from '../../bench/pause/traffic.js'
import type { CutoverEvent } from '../../src/index.js'

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

const call = (kind: Call['kind'], side: Call['side'], due: number, acked: number): Call => ({
  kind,
  side,
  due,
  acked,
})
const write = (side: Call['side'], due: number, acked: number): Call => call('write', side, due, acked)
const read = (due: number, acked: number): Call => call('read', 'old', due, acked)

const seen = (calls: readonly Call[], more: Partial<Seen> = {}): Seen => ({
  calls,
  heldAt: 95,
  openedAt: 118,
  longEndedAt: undefined,
  aborted: 0,
  ...more,
})

const WRITES = [
  write('old', 0, 3),
  // Slow, and long before.
  write('old', 10, 60),
  write('old', 96, 100),
  write('new', 101, 120),
  write('new', 90, 121),
  write('new', 115, 118 + 4),
  write('new', 140, 142),
  write('new', 200, 202),
]

describe('a move', () => {
  it('lasts from the last answer of the side that was left to the first of the other', () => {
    const { pauseMillis, longestMillis, aroundMillis, usualMillis, lastMillis, firstMillis, ...rest } =
      moveOf(seen(WRITES), event())
    expect({ pauseMillis, longestMillis, lastMillis, firstMillis }).toEqual({
      pauseMillis: 20,
      longestMillis: 31,
      lastMillis: 5,
      firstMillis: 2,
    })
    expect({ aroundMillis, usualMillis }).toEqual({ aroundMillis: 50, usualMillis: 3 })
    expect(rest).toMatchObject({ afterLongMillis: undefined, readMillis: undefined, readsMeanwhile: 0 })
    expect(rest.writesASecond).toBeCloseTo(7_000 / 199)
  })

  it('lasts the other way round on the way back', () => {
    const back = WRITES.map((one) => ({
      ...one,
      side: one.side === 'old' ? ('new' as const) : ('old' as const),
    }))
    expect(moveOf(seen(back), event({ direction: 'new→old' })).pauseMillis).toBe(20)
  })

  it('tells what comes after a long query that was in flight', () => {
    expect(moveOf(seen(WRITES, { longEndedAt: 112 }), event()).afterLongMillis).toBe(8)
    // Over before the last answer: the whole pause is the library's.
    expect(moveOf(seen(WRITES, { longEndedAt: 97 }), event()).afterLongMillis).toBe(20)
  })

  it('counts the reads that were answered within the pause, and the longest that it has touched', () => {
    const reads = [read(0, 80), read(99, 101), read(101, 103), read(104, 110), read(116, 129), read(121, 190)]
    const { readMillis, readsMeanwhile } = moveOf(seen([...WRITES, ...reads]), event())
    expect({ readMillis, readsMeanwhile }).toEqual({ readMillis: 13, readsMeanwhile: 2 })
  })

  it.each([
    [WRITES, undefined, 'was not changed'],
    [WRITES, event({ outcome: 'aborted', reason: 'somebody was late' }), 'somebody was late'],
    [WRITES.slice(0, 3), event(), 'on both sides'],
  ])('gives no figure where there is none', (calls, told, message) => {
    expect(() => moveOf(seen(calls), told)).toThrow(message)
  })
})

describe('the traffic', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  /** Answers when it is let. */
  function slowPool() {
    const waiting: ((answer: unknown) => void)[] = []
    const query = (): Promise<unknown> => new Promise((resolve) => waiting.push(resolve))
    return {
      pool: { query } as unknown as pg.Pool,
      waiting,
      answer: (port: number) => {
        for (const resolve of waiting.splice(0)) resolve({ rows: [{ port }] })
      },
    }
  }

  it('goes on at its pace while nobody is answered, and has each call wait from when it was due', async () => {
    const { pool, waiting, answer } = slowPool()
    const traffic = new Traffic(pool, { oldPort: 1, rows: 10, pace: { writes: 500, reads: 100 } })
    traffic.start()
    vi.advanceTimersByTime(100)
    expect(waiting).toHaveLength(50 + 10)
    answer(1)
    await turn()
    expect(traffic.calls).toHaveLength(60)
    const waits = traffic.calls.map(({ due, acked }) => Math.round(acked - due)).toSorted((a, b) => a - b)
    expect([waits[0], waits.at(-1)]).toEqual([0, 98])
    expect(new Set(traffic.calls.map(({ side }) => side))).toEqual(new Set(['old']))

    traffic.forget()
    vi.advanceTimersByTime(10)
    const stopped = traffic.stop()
    answer(2)
    await stopped
    expect(traffic.calls).toHaveLength(6)
    expect(traffic.calls[0]?.side).toBe('new')
    vi.advanceTimersByTime(10)
    expect(waiting).toHaveLength(0)
  })

  it('makes no reads where none are wanted, and counts what has failed and what was left out', async () => {
    const pool = { query: () => Promise.reject(new Error('refused')) } as unknown as pg.Pool
    const failing = new Traffic(pool, { oldPort: 1, rows: 10, pace: { writes: 1_000, reads: 0 } })
    failing.start()
    vi.advanceTimersByTime(5)
    await failing.stop()
    expect(failing).toMatchObject({ calls: [], failed: 5, failure: 'refused', unsent: 0 })

    const { pool: slow, waiting, answer } = slowPool()
    const overrun = new Traffic(slow, { oldPort: 1, rows: 10, pace: { writes: 8_000, reads: 0 } })
    overrun.start()
    vi.advanceTimersByTime(300)
    expect({ waiting: waiting.length, unsent: overrun.unsent }).toEqual({ waiting: 2_000, unsent: 400 })
    const stopped = overrun.stop()
    answer(1)
    await stopped
  })
})
