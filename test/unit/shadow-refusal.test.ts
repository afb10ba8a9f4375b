// What a refused change of writer says of the reads that differed, to people and to machines.
import { expect, it } from 'vitest'
import { mismatchRefusal } from '../../src/shadow/store-refusal.js'
import type { RealStatement } from '../../src/shadow/store.js'

const statement = (fingerprint: string, real: number, text?: string): RealStatement => ({
  fingerprint,
  text,
  real,
})

it('is none where nothing has differed for real', () => {
  expect(mismatchRefusal('orders', { real: 0, statements: [] }, { real: 0, statements: [] })).toBeUndefined()
})

it('says how many of which statements, the worst first, and what to do', () => {
  const refusal = mismatchRefusal('orders', { real: 1, statements: [statement('aa', 1, 'select 1')] })
  expect(refusal).toMatchObject({
    name: 'CutoverError',
    code: 'ERR_MISMATCH',
    message:
      '1 compared read of "orders" differed for real, so the writer was not changed: 1 of aa (select 1). ' +
      'See cutover.shadow.report() or `pg-cutover shadow`; mend what differs and count anew with ' +
      "cutover.shadow.reset(), or go on with advance(phase, { despite: 'mismatches' })",
    details: { real: 1, statements: [{ fingerprint: 'aa', real: 1, text: 'select 1' }] },
  })
})

it('adds up what this process and others have found, and names three of them, each cut', () => {
  const refusal = mismatchRefusal(
    'orders',
    { real: 5, statements: [statement('aa', 2), statement('bb', 3, `select\n  ${'x'.repeat(200)}`)] },
    { real: 20, statements: [statement('aa', 4, 'select a'), statement('cc', 9), statement('dd', 7)] },
  )
  expect(refusal?.message).toContain(
    `25 compared reads of "orders" differed for real, so the writer was not changed: 9 of cc; 7 of dd; 6 of aa (select a); and 1 more statement.`,
  )
  expect(refusal?.details).toMatchObject({
    real: 25,
    statements: [{ fingerprint: 'cc' }, { fingerprint: 'dd' }, { real: 6 }, { fingerprint: 'bb', real: 3 }],
  })
  const long = mismatchRefusal('orders', {
    real: 1,
    statements: [statement('bb', 1, `select\n  ${'x'.repeat(200)}`)],
  })
  expect(long?.message).toContain(`(select ${'x'.repeat(92)}…)`)
})
