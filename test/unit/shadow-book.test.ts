// What a process counts is written down as it is now, also after it was written down before.
import { expect, it } from 'vitest'
import { Book, type Finding } from '../../src/shadow/book.js'

const finding = (fingerprint: string, outcome: Finding['outcome'] = 'equal'): Finding => ({
  fingerprint,
  text: `select ${fingerprint}`,
  outcome,
  millis: { old: 1, new: 2 },
  mismatch: outcome === 'equal' ? undefined : { detail: 'it differs', keys: { old: [], new: [] } },
})

it('is written down anew after each comparison and each look at the plans', () => {
  const book = new Book()
  book.add(finding('a'))
  expect(book.kept().statements).toMatchObject([{ compared: 1, planChange: undefined }])
  book.add(finding('a', 'real'))
  expect(book.kept().statements).toMatchObject([{ compared: 2, outcomes: { equal: 1, real: 1 } }])
  book.planned('a', { old: 'one', new: 'other' })
  expect(book.kept().statements).toMatchObject([{ planChange: { old: 'one', new: 'other' } }])
  book.planned('a', undefined)
  expect(book.kept().statements).toMatchObject([{ planChange: undefined }])
})

it('tells by its number of changes whether it has to be written down', () => {
  const book = new Book()
  const changes = (work: () => void): number => {
    const before = book.changes
    work()
    return book.changes - before
  }
  expect(changes(() => book.add(finding('a')))).toBe(1)
  expect(changes(() => book.skip('busy'))).toBe(1)
  expect(changes(() => book.planned('a', undefined))).toBe(0)
  expect(changes(() => book.planned('a', { old: 'one', new: 'other' }))).toBe(1)
  expect(changes(() => void book.kept())).toBe(0)
  expect(changes(() => book.forget())).toBe(1)
  expect(book.kept()).toMatchObject({ compared: 0, statements: [], mismatches: [] })
})

it('adds up the statements for which there is no room, and loses none of the counts', () => {
  const book = new Book()
  for (let i = 0; i < 600; i++) {
    book.add(finding(`s${i}`, i === 0 ? 'real' : 'equal'))
    if (i % 100 === 0) book.kept()
  }
  const { statements, compared, outcomes, mismatches } = book.kept()
  expect(statements).toHaveLength(500)
  expect(compared).toBe(600)
  expect(statements.reduce((sum, one) => sum + one.compared, 0)).toBe(600)
  expect(statements.find(({ fingerprint }) => fingerprint === 'other')).toMatchObject({
    text: undefined,
    compared: 101,
    outcomes: { real: 1 },
  })
  expect(outcomes).toMatchObject({ real: 1, equal: 599 })
  expect(mismatches).toMatchObject([{ fingerprint: 's0', outcome: 'real' }])
})
