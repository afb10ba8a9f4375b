// What of a statement may be seen, which values tell the time, and how much of a cut answer is the server's choice.
import { describe, expect, it } from 'vitest'
import type { Answer } from '../../src/shadow/answer.js'
import { mayDiffer } from '../../src/shadow/choice.js'
import { tellsTheTime } from '../../src/shadow/moving-values.js'
import { shownText } from '../../src/shadow/shown-text.js'
import { paintFor } from '../../src/cli/screen.js'
import { reportText } from '../../src/cli/shadow-text.js'
import { noTotals } from '../../src/shadow/report.js'
import { loadStatements } from '../../src/reads/statements.js'

const statements = await loadStatements()
const SECRET = 'bob'

describe('the text that is shown', () => {
  it.each([
    [`/* user ${SECRET} */ select 1`, 'select $1'],
    [`select 1 -- ${SECRET}`, 'select $1'],
    [`select/* /* ${SECRET} */ it's "*/1`, 'select $1'],
    [`select "/* a", 'x' -- ${SECRET}\n, "it's"`, 'select "/* a", $1 \n, "it\'s"'],
    [
      `select a$b, a from t where a = $1 and b = $$${SECRET}$$`,
      'select a$b, a from t where a = $1 and b = $2',
    ],
    [
      `select * from json_table(a, '$.x' columns (x int path '$.${SECRET}'))`,
      `select * from json_table(a, $1 columns (x int path '…'))`,
    ],
    [`select * from json_table(a, '$.x' columns (x int path $$$.${SECRET}$$))`, undefined],
    [`select * from json_table(a, '$.x' columns (x int path E'$.\\'${SECRET}'))`, undefined],
    [`insert ${SECRET}`, undefined],
  ])('of %s is %j', (text, shown) => {
    expect(shownText(statements.normalised(text))).toBe(shown)
  })
})

describe('a value tells the time', () => {
  it.each([
    'now',
    ' NOW ',
    'today',
    '12:00 today',
    '3:30pm yesterday',
    '{now}',
    '["now","tomorrow")',
    ['x', ['now']],
  ])('%j', (value) => {
    expect(tellsTheTime([1, value])).toBe(true)
  })

  it.each(['nowhere', 'buy now', '2020-01-01', 'x'.repeat(300), 'know', 5, null, ['a'], Buffer.from('now')])(
    'and %j does not',
    (value) => {
      expect(tellsTheTime([value])).toBe(false)
    },
  )
})

describe('a cut answer', () => {
  const rows = (rowCount: number): Answer => ({
    fields: [],
    rowCount,
    bytes: 0,
    millis: 0,
    rows: undefined,
    digests: undefined,
  })

  it.each([
    ['of as many rows as the limit allows', { limit: 3, offset: 0 }, [], 3, 3, true],
    ['of fewer rows', { limit: 4, offset: 0 }, [], 3, 3, false],
    ['of fewer rows, behind an offset', { limit: 4, offset: 1 }, [], 3, 3, true],
    ['of another number of rows', { limit: 3, offset: 1 }, [], 3, 2, false],
    ['by parameters', { limit: { parameter: 2 }, offset: { parameter: 1 } }, ['0', '4'], 3, 3, false],
    ['by a parameter that is reached', { limit: { parameter: 1 }, offset: 0 }, [3n], 3, 3, true],
    ['by a parameter that is NULL', { limit: { parameter: 1 }, offset: 0 }, [null], 3, 3, false],
    ['by a parameter that is no number', { limit: { parameter: 1 }, offset: 0 }, ['x'], 3, 3, true],
    ['by what is not known', { limit: undefined, offset: 0 }, [], 3, 3, true],
    ['by something else as well', undefined, [], 3, 2, true],
  ])('%s', (_, own, values, one, other, free) => {
    expect(mayDiffer(own, values, rows(one), rows(other))).toBe(free)
  })
})

it('a terminal obeys nothing that a statement or a column is named', () => {
  const lines = reportText(
    {
      ...noTotals(),
      name: 'm',
      since: '',
      comparing: true,
      processes: 1,
      updated: undefined,
      writer: 'old',
      unknown: [],
      statements: [
        {
          fingerprint: 'a',
          text: 'select "\u001B[2J"\n from t',
          compared: 1,
          outcomes: noTotals().outcomes,
          old: { p50: 1, p95: 1, p99: 1 },
          new: { p50: 1, p95: 1, p99: 1 },
          planChange: { old: 'Seq Scan on \u009B2J', new: '', slowdown: 2 },
        },
      ],
      mismatches: [
        { fingerprint: 'a', outcome: 'real', at: '', detail: 'named \u001B[2J', keys: { old: [], new: [] } },
      ],
    },
    5,
    paintFor({ write: () => true, isTTY: false }, {}),
  )
  expect(lines.join('')).not.toMatch(/\p{Cc}/u)
  expect(lines.join('')).toContain('select " [2J" from t')
})
