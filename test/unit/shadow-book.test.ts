// What is kept of comparisons: counted, bounded, ordered by what matters, and without anybody's values.
import { describe, expect, it } from 'vitest'
import { endOfLastRecord } from '../../src/mirror/passed.js'
import { Book, type Finding } from '../../src/shadow/book.js'
import { planPair, planShape } from '../../src/shadow/plan-shape.js'
import { reportOf } from '../../src/shadow/report-of.js'
import type { Outcome } from '../../src/shadow/report.js'

const found = (fingerprint: string, outcome: Outcome = 'equal', millis = 1): Finding => ({
  fingerprint,
  text: `select ${fingerprint}`,
  outcome,
  millis: { old: millis, new: 2 * millis },
  mismatch: outcome === 'equal' ? undefined : { detail: 'differs', keys: { old: ['a'], new: [] } },
})

const report = (book: Book) => reportOf('orders', true, book.kept())

describe('the book', () => {
  it('counts outcomes, skips and latencies, and forgets them', () => {
    const book = new Book()
    const since = book.kept().since
    book.add(found('a'))
    book.add(found('a', 'lag'))
    book.skip('busy')
    expect(book.changes).toBe(3)
    expect(report(book)).toMatchObject({
      compared: 2,
      outcomes: { equal: 1, lag: 1, order: 0, real: 0, unsettled: 0 },
      skipped: { busy: 1, timeout: 0 },
      statements: [{ fingerprint: 'a', text: 'select a', compared: 2, outcomes: { equal: 1, lag: 1 } }],
      mismatches: [{ fingerprint: 'a', outcome: 'lag', keys: { old: ['a'], new: [] } }],
    })
    const [a] = report(book).statements
    expect(Math.abs((a?.new.p50 ?? 0) / (a?.old.p50 ?? 1) - 2)).toBeLessThan(0.2)
    book.forget()
    expect(report(book)).toMatchObject({ compared: 0, statements: [], mismatches: [], skipped: { busy: 0 } })
    expect(book.kept().since >= since).toBe(true)
    expect(book.changes).toBe(4)
  })

  it('keeps 500 statements, and the rest as one', () => {
    const book = new Book()
    book.add(found('first', 'real'))
    for (let nr = 0; nr < 700; nr++) {
      book.add(found(String(nr)))
      // Seen again and again, so that it stays.
      book.add(found('often'))
    }
    const { statements, compared } = report(book)
    expect(statements).toHaveLength(500)
    expect(statements.reduce((sum, one) => sum + one.compared, 0)).toBe(compared)
    expect(statements.find(({ fingerprint }) => fingerprint === 'often')?.compared).toBe(700)
    expect(statements[0]).toMatchObject({ fingerprint: 'other', text: undefined, outcomes: { real: 1 } })
    expect(book.totals().outcomes.real).toBe(1)
  })

  it('keeps 100 mismatches, the latest of each statement, and what is real longest', () => {
    const book = new Book()
    book.add(found('worst', 'real'))
    book.add(found('worst', 'real'))
    for (let nr = 0; nr < 300; nr++) book.add(found(String(nr), 'lag'))
    const { mismatches } = report(book)
    expect(mismatches).toHaveLength(100)
    expect(mismatches[0]).toMatchObject({ fingerprint: 'worst', outcome: 'real' })
    expect(mismatches.filter(({ fingerprint }) => fingerprint === 'worst')).toHaveLength(1)
    expect(mismatches.map(({ fingerprint }) => fingerprint)).toContain('299')
  })

  it('puts mismatches first, then slower plans, then what is asked most', () => {
    const book = new Book()
    book.add(found('few'))
    for (let nr = 0; nr < 3; nr++) book.add(found('many'))
    book.add({ ...found('slower'), millis: { old: 1, new: 50 } })
    book.planned('slower', { old: 'Index Scan', new: 'Seq Scan' })
    book.add(found('lag', 'lag'))
    book.add(found('real', 'real'))
    const { statements } = report(book)
    expect(statements.map(({ fingerprint }) => fingerprint)).toEqual(['real', 'lag', 'slower', 'many', 'few'])
    expect(statements[2]?.planChange?.slowdown).toBeGreaterThan(40)
    book.planned('slower', undefined)
    expect(
      report(book).statements.find(({ fingerprint }) => fingerprint === 'slower')?.planChange,
    ).toBeUndefined()
  })
})

describe('the shape of a plan', () => {
  const scan = {
    'Node Type': 'Index Scan',
    'Index Name': 'a_pkey',
    'Relation Name': 'a',
    Filter: `(name = 'Ann')`,
  }
  const of = (plan: object): string | undefined => planShape(JSON.stringify([{ Plan: plan }]))

  it('names nodes, tables and indexes, and no values', () => {
    const join = { 'Node Type': 'Nested Loop', 'Join Type': 'Left', Plans: [scan, { 'Node Type': 'Result' }] }
    expect(of(join)).toBe('Left Nested Loop (Index Scan a_pkey on a, Result)')
  })

  it.each(['', '{}', '[]', '[{}]', 'null', 'Seq Scan on a'])('is none of %j', (json) => {
    expect(planShape(json)).toBeUndefined()
  })

  it('is kept only where the two differ, and only its beginning', () => {
    expect(planPair('a', 'a')).toBeUndefined()
    expect(planPair('a', 'b'.repeat(900))).toEqual({ old: 'a', new: `${'b'.repeat(400)}…` })
  })
})

it.each([
  ['0/3000018', '0/3000000', 'right behind the header of a page'],
  ['0/3000028', '0/3000000', 'right behind the header of a segment'],
  ['1A/3002018', '1A/3002000', 'of a later page'],
  ['0/3000030', '0/3000030', 'elsewhere'],
  ['0/30001E8', '0/30001E8', 'elsewhere'],
])('the end of the last record at %s is %s: %s', (lsn, end) => {
  expect(endOfLastRecord(lsn)).toBe(end)
})
