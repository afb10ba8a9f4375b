// The pause and the writes on a wrong side, as the demo reads them out of its ledger.
import { expect, it } from 'vitest'
import { Ledger } from '../../demo/ledger.js'
import type { Side } from '../../demo/ledger.js'
import { pauseOf, writesOnTheWrongSide } from '../../demo/pause.js'

function ledgerOf(writes: readonly [side: Side, sent: number, acked: number][]): Ledger {
  const ledger = new Ledger()
  for (const [side, sent, acked] of writes)
    ledger.acknowledge({
      number: ledger.issue(),
      kind: 'record an event',
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
  })
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
