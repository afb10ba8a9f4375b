// Contract: values travel in and out as they do with pg itself, small ones and large ones.
import { describe, expect, it } from 'vitest'
import type { Fixture } from './fixture.js'

const outwards: [what: string, expression: string, value: unknown][] = [
  ['int', '42', 42],
  ['bigint as text', '9007199254740993::bigint', '9007199254740993'],
  ['numeric as text', '1.50::numeric', '1.50'],
  ['float', '1.5::float8', 1.5],
  ['NaN', `'NaN'::float8`, NaN],
  ['boolean', 'true', true],
  ['text', `'naïve 😀'`, 'naïve 😀'],
  ['null', 'null', null],
  ['jsonb', `'{"a": [1, null, "x"]}'::jsonb`, { a: [1, null, 'x'] }],
  ['int[]', 'array[1, 2, null]', [1, 2, null]],
  [
    'text[][]',
    `array[['a', 'b'], ['c,d', 'e"f']]`,
    [
      ['a', 'b'],
      ['c,d', 'e"f'],
    ],
  ],
  ['bytea', `'\\x00ff10'::bytea`, Buffer.from([0, 255, 16])],
  ['timestamptz', `'2024-02-29 12:34:56.789+00'::timestamptz`, new Date('2024-02-29T12:34:56.789Z')],
  ['date, at midnight here', `'2024-02-29'::date`, new Date(2024, 1, 29)],
  ['uuid', `'00000000-0000-4000-8000-000000000001'::uuid`, '00000000-0000-4000-8000-000000000001'],
  ['interval', `'1 day 2 hours'::interval`, expect.objectContaining({ days: 1, hours: 2 })],
  ['point', `'(1,2)'::point`, { x: 1, y: 2 }],
]

const inwards: [what: string, type: string, given: unknown, text: string][] = [
  ['a number', 'text', 42, '42'],
  ['a bigint', 'bigint', 9007199254740993n, '9007199254740993'],
  ['a boolean', 'boolean', false, 'false'],
  ['a Date', 'timestamptz', new Date('2024-02-29T12:34:56.789Z'), '2024-02-29 12:34:56.789+00'],
  ['a Buffer', 'bytea', Buffer.from([1, 2]), '\\x0102'],
  ['an array', 'int[]', [1, null, 3], '{1,NULL,3}'],
  ['an array of awkward texts', 'text[]', ['a,b', 'c"d', ''], '{"a,b","c\\"d",""}'],
  ['an object as json', 'jsonb', { a: [1] }, '{"a": [1]}'],
  ['what its toPostgres says', 'text', { toPostgres: () => 'its own form' }, 'its own form'],
]

export function valuesContract(fixture: Fixture): void {
  describe('values', () => {
    it.each(outwards)('come out: %s', async (_what, expression, value) => {
      const pool = await fixture.open()
      expect((await pool.query(`select ${expression} as value`)).rows).toEqual([{ value }])
    })

    it.each(inwards)('go in: %s', async (_what, type, given, text) => {
      const pool = await fixture.open({ options: '-c TimeZone=UTC' })
      expect((await pool.query(`select ($1::${type})::text as text`, [given])).rows).toEqual([{ text }])
    })

    it.each([null, undefined])('go in: %s as NULL', async (nothing) => {
      const pool = await fixture.open()
      expect((await pool.query('select $1::text is null as missing', [nothing])).rows).toEqual([
        { missing: true },
      ])
    })

    it('go in and out at several megabytes', async () => {
      const pool = await fixture.open()
      const large = 'äbc😀'.repeat(400_000)
      const { rows } = await pool.query('select $1::text as back, octet_length($1::text) as bytes', [large])
      expect(rows[0].bytes).toBe(Buffer.byteLength(large))
      expect(rows[0].back === large).toBe(true)
    })

    it('go in by the thousand', async () => {
      const pool = await fixture.open()
      const values = Array.from({ length: 5000 }, (_unused, n) => n)
      const list = values.map((n) => `$${n + 1}::int`).join(',')
      const { rows } = await pool.query(`select sum(n)::int as sum from unnest(array[${list}]) n`, values)
      expect(rows).toEqual([{ sum: (4999 * 5000) / 2 }])
    })

    it('come out in fifty thousand rows', async () => {
      const pool = await fixture.open()
      const { rows, rowCount } = await pool.query<{ n: number }>(
        `select n, repeat('x', 50) as filler from generate_series(1, 50000) n`,
      )
      expect(rowCount).toBe(50_000)
      expect(rows.at(-1)).toEqual({ n: 50_000, filler: 'x'.repeat(50) })
    })
  })
}
