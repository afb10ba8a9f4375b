// Every type of Postgres is carried over to the byte, from 15 to 18 and back.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { otherSide, type Side } from '../../../src/phase/phases.js'
import { ALONE, SAMPLES, UNREADABLE } from './exact-values.js'
import { bytesOf, carrier, type Carrier } from './rows-fixture.js'

const TYPES = [...SAMPLES.keys()]
const ROWS = Math.max(...[...SAMPLES.values()].map((values) => values.length))
const quoted = (type: string): string => `"${type.replaceAll('"', "'")}"`

const columns = TYPES.flatMap((type) => [`${quoted(type)} ${type}`, `${quoted(`${type}[]`)} ${type}[]`])
const table = (list: readonly string[]): string =>
  `create table public.every (id int primary key, ${list.join(', ')})`

const fill = (): string => {
  const rows = Array.from({ length: ROWS }, (_, row) => [
    String(row),
    ...TYPES.flatMap((type) => {
      const values = SAMPLES.get(type) ?? []
      const inArray = values.filter((value) => !ALONE[type]?.includes(value))
      const list = row === 0 ? inArray : [...inArray.slice(row), 'null']
      return [values[row] ?? 'null', `array[${list.join(', ')}]::${type}[]`]
    }),
  ])
  return `insert into public.every values ${rows.map((row) => `(${row.join(', ')})`).join(', ')}`
}

let c: Carrier

beforeAll(async () => {
  c = await carrier({
    schemas: { old: table(columns), new: table(columns.toReversed()) },
  })
  await c.old(fill())
})

afterAll(() => c.drop())

describe.each(['old', 'new'] as const)('of the %s server', (side) => {
  it('there are values of every type that a column can be of', async () => {
    const found = await c[side]<{ type: string }>(
      `select format_type(oid, -1) as type from pg_type
        where typnamespace = 'pg_catalog'::regnamespace and typtype in ('b', 'r', 'm')
          and not exists (select from pg_type e where e.typarray = pg_type.oid)
          and oid <> all (array(select to_regtype(name) from unnest($1::text[]) name)::oid[])
        order by typname collate "C"`,
      [[...TYPES, 'jsonb']],
    )
    expect(found.map(({ type }) => type)).toEqual(UNREADABLE)
  })

  it.each(UNREADABLE)('no text makes a value of %s', async (type) => {
    await expect(c[side](`select '1'::${type}`)).rejects.toThrow(/cannot accept a value|not implemented/)
  })
})

// In this order: the second begins with what the first has carried.
describe.each(['old', 'new'] as const)('from the %s server', (from) => {
  it.each(['usual', 'replace'] as const)('every value arrives as it is, %s', async (how) => {
    const keys = Array.from({ length: ROWS }, (_, row) => String(row))
    const to: Side = otherSide(from)
    const before = await bytesOf(c[from], 'public.every')
    expect(before).toHaveLength(ROWS)
    if (how === 'usual') await c[to]('delete from public.every')
    await c.carry(from, 'every', keys, how)
    const after = await bytesOf(c[to], 'public.every')
    for (const [row, values] of before.entries()) expect(after[row]).toEqual(values)
    expect(await bytesOf(c[from], 'public.every')).toEqual(before)
  })
})
