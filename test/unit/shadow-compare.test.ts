// Two answers are equal, or it is said what differs, whether their rows are kept or only their digests.
import { describe, expect, it } from 'vitest'
import { AnswerRows } from '../../src/shadow/answer-rows.js'
import type { Answer, AnswerField, RawRow } from '../../src/shadow/answer.js'
import { compareAnswers, type CompareOptions } from '../../src/shadow/compare.js'

const [INT4, TEXT, NUMERIC, FLOAT8, FLOAT8_ARRAY, POINT] = [23, 25, 1700, 701, 1022, 600]

const columns = (...types: number[]): AnswerField[] => types.map((type, i) => ({ name: `c${i}`, type }))

async function answer(
  fields: readonly AnswerField[],
  rows: readonly RawRow[],
  keepBytes = 1_000_000,
): Promise<Answer> {
  const taken = new AnswerRows(keepBytes)
  taken.fields = fields
  for (const row of rows) taken.add(row, 10)
  return { fields, rowCount: taken.count, bytes: taken.bytes, millis: 1, ...(await taken.end()) }
}

const DEFAULTS: CompareOptions = { ordered: false, floatTolerance: 0 }

/** `kept` says whether the rows of both are kept, of the old side alone, or of neither. */
async function compare(
  fields: readonly AnswerField[],
  [old, next]: readonly [old: readonly RawRow[], next: readonly RawRow[]],
  options: Partial<CompareOptions> = {},
  kept: 'both' | 'old' | 'none' = 'both',
) {
  return compareAnswers(
    await answer(fields, old, kept === 'none' ? 15 : undefined),
    await answer(fields, next, kept === 'both' ? undefined : 15),
    { ...DEFAULTS, ...options },
  )
}

const rows = (...values: (string | null)[]): RawRow[] => values.map((value) => [value])

describe.each(['both', 'old', 'none'] as const)('with the rows of %s kept', (kept) => {
  const kind = async (
    sides: readonly [readonly RawRow[], readonly RawRow[]],
    ordered: boolean,
    fields = columns(NUMERIC),
  ) => (await compare(fields, sides, { ordered }, kept)).kind
  const other = kept === 'both' ? 'rows' : 'digest'

  it.each([
    ['the same rows', rows('1', '2', '3'), rows('1', '2', '3'), 'equal', 'equal'],
    ['another form', rows('1.0', '2', '3'), rows('1', '2.00', '3'), 'equal', 'equal'],
    ['another sequence', rows('1', '2', '3'), rows('3', '1', '2.0'), 'equal', 'order'],
    ['another row', rows('1', '2', '3'), rows('1', '2', '4'), other, other],
    ['a row for its neighbour', rows('1', '1', '2'), rows('1', '2', '2'), other, other],
    ['a pair of rows for another pair', rows('1', '1', '5'), rows('2', '2', '5'), other, other],
    ['NULL for 0', rows('1', '2', null), rows('1', '2', '0'), other, other],
  ] as const)('%s', async (_, old, next, unordered, ordered) => {
    expect(await kind([old, next], false)).toBe(unordered)
    expect(await kind([old, next], true)).toBe(ordered)
  })

  it.each([
    ['values that run into each other', ['a', 'bc'], ['ab', 'c']],
    ['a value that looks like the beginning of another', ['a+b', 'c'], ['a', 'b+c']],
    ['a NULL that changes its place', [null, ''], ['', null]],
    ['a value that looks like the end of another', ['a\x01', 'b'], ['a', '\x01b']],
    ['a value that looks like NULL', ['-', 'x'], [null, 'x']],
  ])('%s', async (_, old, next) => {
    const filler: RawRow = ['x', 'y']
    const sides = [
      [old, filler],
      [next, filler],
    ] as const
    expect(await kind(sides, false, columns(TEXT, TEXT))).toBe(other)
  })
})

describe('rows that differ', () => {
  it('are counted, and ten of them told with their digests', async () => {
    const numbers = (from: number, to: number): RawRow[] =>
      Array.from({ length: to - from }, (_, i) => [String(from + i)])
    const found = await compare(columns(INT4), [numbers(0, 40), numbers(25, 42)])
    if (found.kind !== 'rows') throw new Error(found.kind)
    expect(found.old.count).toBe(25)
    expect(found.old.rows).toHaveLength(10)
    expect(found.old.keys).toHaveLength(10)
    expect(found.new).toEqual({
      count: 2,
      rows: [['40'], ['41']],
      keys: [expect.any(String), expect.any(String)],
    })
    expect(found.detail).toContain('the new one lacks 25')
    expect(found.detail).toContain('the old one lacks 2')
  })

  it('have one digest in whatever form they come', async () => {
    const found = await compare(columns(NUMERIC), [rows('1.50'), rows('2')])
    const again = await compare(columns(NUMERIC), [rows('2.0'), rows('1.5')])
    if (found.kind !== 'rows' || again.kind !== 'rows') throw new Error('equal')
    expect(found.old.keys).toEqual(again.new.keys)
    expect(found.old.keys).not.toEqual(found.new.keys)
    expect(found.old.keys[0]).toMatch(/^[0-9a-f]{16}$/)
  })

  it('are counted alone where not all of them were kept', async () => {
    const found = await compare(columns(INT4), [rows('1', '2'), rows('1')], {}, 'none')
    expect(found).toMatchObject({ kind: 'count', detail: expect.stringContaining('2 rows') })
  })

  it.each(['both', 'none'] as const)('are told without their values (%s kept)', async (kept) => {
    const found = await compare(columns(TEXT), [rows('secret', 'x'), rows('hidden', 'x')], {}, kept)
    if (!('detail' in found)) throw new Error('equal')
    expect(found.detail).not.toMatch(/secret|hidden/)
  })
})

describe('columns', () => {
  it.each([
    ['fewer', columns(INT4, TEXT), columns(INT4), 'columns'],
    ['of another name', [{ name: 'a', type: INT4 }], [{ name: 'b', type: INT4 }], 'columns'],
    ['of another built-in type', columns(FLOAT8), columns(NUMERIC), 'columns'],
    ['of a type of the server’s own for a built-in one', columns(TEXT), columns(16_500), 'columns'],
    ['of types of the server’s own', columns(16_400), columns(16_500), 'equal'],
  ] as const)('%s', async (_, old, next, kind) => {
    const found = await compareAnswers(await answer(old, []), await answer(next, []), DEFAULTS)
    expect(found.kind).toBe(kind)
  })

  it('that each server fills alone are not compared', async () => {
    const xmin: AnswerField[] = [{ name: 'xmin', type: 28, system: true }]
    expect(await compare(xmin, [rows('731'), rows('912')])).toEqual({ kind: 'equal' })
  })
})

describe('floating-point numbers', () => {
  const kind = async (
    types: readonly number[],
    sides: readonly [readonly RawRow[], readonly RawRow[]],
    options: Partial<CompareOptions> = {},
  ) => (await compare(columns(...types), sides, { floatTolerance: 0.01, ...options })).kind

  it.each([
    ['near enough', rows('100'), rows('100.9'), 'equal'],
    ['too far', rows('100'), rows('102'), 'rows'],
    ['of another sign', rows('0.0001'), rows('-0.0001'), 'rows'],
    ['near zero and zero', rows('1e-300'), rows('0'), 'rows'],
    ['zero and minus zero', rows('0'), rows('-0'), 'equal'],
    ['NaN twice', rows('NaN'), rows('NaN'), 'equal'],
    ['NaN and a number', rows('NaN'), rows('1'), 'rows'],
    ['infinity and a large number', rows('Infinity'), rows('1e308'), 'rows'],
    ['NULL and a number', rows(null), rows('0'), 'rows'],
    ['one that is there twice', rows('100', '100'), rows('100.5', '200'), 'rows'],
    ['in another order', rows('1', '10', '100'), rows('100.1', '1.001', '10.01'), 'equal'],
    // The nearest of 100 is 100.5, which is the only one for 101.4.
    ['where the nearest is another’s', rows('100', '101.4'), rows('100.5', '99.2'), 'equal'],
  ] as const)('%s', async (_, old, next, expected) => {
    expect(await kind([FLOAT8], [old, next])).toBe(expected)
  })

  it('inside arrays and points are meant too', async () => {
    expect(await kind([FLOAT8_ARRAY], [rows('{1,NULL,2}'), rows('{1.001,NULL,2}')])).toBe('equal')
    expect(await kind([FLOAT8_ARRAY], [rows('{1,NULL,2}'), rows('{1.001,2,NULL}')])).toBe('rows')
    expect(await kind([POINT], [rows('(1,2)'), rows('(1.001,2)')])).toBe('equal')
    expect(await kind([POINT], [rows('(1,2)'), rows('(1,3)')])).toBe('rows')
  })

  it('are paired by what else stands in the row, which has to be equal', async () => {
    const old: RawRow[] = [
      ['a', '1'],
      ['b', '1.005'],
    ]
    const swapped: RawRow[] = [
      ['b', '1'],
      ['a', '1.005'],
    ]
    expect(await kind([TEXT, FLOAT8], [old, swapped])).toBe('equal')
    expect(await kind([NUMERIC, FLOAT8], [[['1', '1']], [['1.001', '1']]])).toBe('rows')
  })

  it('are paired so that as many as possible have one', async () => {
    const old: RawRow[] = [
      ['1', '10'],
      ['1.001', '20'],
      ['1.003', '10.09'],
    ]
    // The first is near to both the second and the third here, the last of the old ones to the second alone.
    const next: RawRow[] = [
      ['1.0005', '20'],
      ['1.002', '10'],
      ['1.004', '9.95'],
    ]
    expect(await kind([FLOAT8, FLOAT8], [old, next])).toBe('equal')
    expect(await kind([FLOAT8, FLOAT8], [old, [...next.slice(0, 2), ['1.004', '9.8']]])).toBe('rows')
  })

  it('keep their order', async () => {
    const old = rows('1', '2', '3')
    expect(await kind([FLOAT8], [old, rows('1.001', '2', '3')], { ordered: true })).toBe('equal')
    expect(await kind([FLOAT8], [old, rows('2', '1.001', '3')], { ordered: true })).toBe('order')
  })

  it('are as they are without a tolerance', async () => {
    expect(await kind([FLOAT8], [rows('1'), rows('1.0000000000000002')], { floatTolerance: 0 })).toBe('rows')
  })

  it('of rows that were not kept cannot be told to be near', async () => {
    const sides = [rows('1', '2'), rows('1', '2.001')] as const
    expect((await compare(columns(FLOAT8), sides, { floatTolerance: 0.01 }, 'none')).kind).toBe('tooLarge')
    expect((await compare(columns(FLOAT8), sides, {}, 'none')).kind).toBe('digest')
    expect((await compare(columns(NUMERIC), sides, { floatTolerance: 0.01 }, 'none')).kind).toBe('digest')
  })
})

it('gives others a turn while it compares', async () => {
  const many = Array.from({ length: 20_000 }, (_, i) => [`row ${i}`])
  const sides = [await answer(columns(TEXT), many), await answer(columns(TEXT), many.toReversed())] as const
  let turns = 0
  const count = (): void => {
    turns++
    next = setImmediate(count)
  }
  let next = setImmediate(count)
  const compared = await compareAnswers(...sides, { ...DEFAULTS, ordered: true })
  clearImmediate(next)
  expect(compared.kind).toBe('order')
  expect(turns).toBeGreaterThan(5)
})
