// The pause and the writes on a wrong side, as the demo reads them out of its ledger.
import { expect, it } from 'vitest'
import { shareOut } from '../../demo/crew.js'
import { Ledger } from '../../demo/ledger.js'
import type { Side } from '../../demo/ledger.js'
import { pauseOf, writesOnTheWrongSide } from '../../demo/pause.js'
import { REPORT } from '../../demo/reads.js'
import { unmet } from '../../demo/verdict.js'
import { SLOW } from '../../demo/writes.js'

function ledgerOf(writes: readonly [side: Side, sent: number, acked: number, kind?: typeof SLOW][]): Ledger {
  const ledger = new Ledger()
  for (const [side, sent, acked, kind = 'record an event'] of writes)
    ledger.acknowledge({
      number: ledger.issue(),
      kind,
      process: 0,
      writer: 0,
      side,
      sent,
      acked,
      effects: [],
      place: undefined,
    })
  return ledger
}

const WRITES: readonly [Side, number, number][] = [
  ['old', 0, 3],
  ['old', 8, 10],
  ['new', 9, 22],
  ['new', 12, 23],
  ['new', 30, 70],
]

it('measures from the last answer of the side that was left to the first of the other', () => {
  const ledger = ledgerOf(WRITES)
  ledger.answered({ kind: 'a read', reader: 0, side: 'old', sent: 2, acked: 9 })
  ledger.answered({ kind: 'a read', reader: 0, side: 'new', sent: 11, acked: 21 })
  expect(pauseOf(ledger, 'new', 5, 40)).toEqual({
    lastLeft: 10,
    firstOpened: 22,
    pauseMillis: 12,
    longestHeldMillis: 13,
    longestReadHeldMillis: 10,
    longestReadTransactionHeldMillis: 0,
    readsMeanwhile: 1,
  })
})

it('tells what waits from the transaction that is waited for, and from those that ask for a client', () => {
  const ledger = ledgerOf([
    ['old', 0, 3],
    ['old', 4, 104, SLOW],
    ['new', 5, 110],
  ])
  ledger.answered({ kind: 'a read', reader: 1, side: undefined, sent: 6, acked: 8 })
  ledger.answered({ kind: 'a read', reader: 1, side: 'old', sent: 90, acked: 94 })
  ledger.answered({ kind: REPORT, reader: 0, side: 'new', sent: 6, acked: 109 })
  expect(pauseOf(ledger, 'new', 0, 200)).toEqual({
    lastLeft: 3,
    firstOpened: 110,
    pauseMillis: 107,
    longestHeldMillis: 105,
    longestReadHeldMillis: 4,
    longestReadTransactionHeldMillis: 103,
    readsMeanwhile: 2,
  })
})

it.each([
  ['nothing where no transaction was kept open', undefined, 8, 8, []],
  ['nothing where writes have waited for it and reads have not', 300, 320, 12, []],
  ['a write that has not waited', 300, 299, 12, ['no write waited for the transaction of 300 ms']],
  ['a read that has', 300, 320, 150, ['a read waited 150.0 ms while writes waited']],
  ['nothing of reads where it is too short to tell', 100, 120, 110, []],
] as const)('complains of %s', (_what, slow, write, read, complaints) => {
  const pause = { longestHeldMillis: write, longestReadHeldMillis: read }
  expect(unmet('old→new', pause, slow)).toEqual(
    complaints.map((text) => expect.stringContaining(text) as string),
  )
})

it('has no pause before the other side has answered', () => {
  expect(pauseOf(ledgerOf(WRITES), 'new', 5, 20)).toBeUndefined()
  expect(pauseOf(ledgerOf([]), 'new', 0, 100)).toBeUndefined()
})

it.each([
  ['none when held writes are answered by the side that was opened', WRITES, []],
  ['one that the side left has taken after the other was opened', [...WRITES, ['old', 24, 25]], [6]],
  ['one that the side opened has taken before', [['new', 1, 2], ...WRITES], [1]],
  ['none that was sent before and answered after', [...WRITES, ['old', 21, 71]], []],
] as const)('finds %s', (_what, writes, numbers) => {
  const wrong = writesOnTheWrongSide(ledgerOf(writes.map(([side, sent, acked]) => [side, sent, acked])), [
    { opened: 'new', at: 22 },
  ])
  expect(wrong.map(({ number }) => number)).toEqual(numbers)
})

it('takes each process alone or all together, in whatever order their writes were told', () => {
  const ledger = ledgerOf([])
  const write = (process: number, side: Side, sent: number, acked: number): void =>
    ledger.take({
      entries: [
        {
          number: 100 * process + acked,
          kind: 'record an event',
          process,
          writer: process,
          side,
          sent,
          acked,
          effects: [],
          place: undefined,
        },
      ],
      reads: [],
      failures: [],
      stale: 0,
    })
  write(1, 'old', 1, 14)
  write(1, 'new', 16, 30)
  write(0, 'old', 0, 10)
  write(0, 'new', 11, 25)
  const span = (process?: number): unknown => {
    const { lastLeft, firstOpened } = pauseOf(ledger, 'new', 0, 99, process) ?? {}
    return [lastLeft, firstOpened]
  }
  expect([span(), span(0), span(1), span(2)]).toEqual([
    [14, 25],
    [10, 25],
    [14, 30],
    [undefined, undefined],
  ])
})

it('gives no process the number of another one', () => {
  const ledgers = [0, 1, 2].map((process) => new Ledger(process, 3))
  const numbers = [1, 2, 3, 4].flatMap(() => ledgers.map((ledger) => ledger.issue()))
  expect(new Set(numbers).size).toBe(12)
})

it('shares out writers, readers and rate, each to one process', () => {
  const shares = shareOut({ writers: 16, readers: 3, rate: 800 }, 5)
  expect(shares.map(({ load }) => load.writers)).toEqual([4, 3, 3, 3, 3])
  expect(shares.map(({ part }) => part.firstWriter)).toEqual([0, 4, 7, 10, 13])
  expect(shares.reduce((sum, { load }) => sum + load.readers, 0)).toBe(3)
  expect(shares.reduce((sum, { load }) => sum + load.rate, 0)).toBeCloseTo(800)
})
