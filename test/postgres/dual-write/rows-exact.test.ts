// Rows arrive to the byte whatever their types, texts, names and keys are, under other names and in another order.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { quoteIdent } from '../../../src/control/names.js'
import { KEYS, OUR_NAMES, OWN, S, TEXTS, typesOf } from './odd-rows.js'
import { bytesOf, carrier, type Carrier } from './rows-fixture.js'

const schema = (here: string): string => {
  const own = ['id int primary key', ...OWN.map(([type], index) => `v${index} ${type}`)]
  const odd = OUR_NAMES.map((name) => `"${name}" text`)
  return `create schema ${here};
    ${typesOf(here)}
    create table ${here}.own (${(here === 'app' ? own : own.toReversed()).join(', ')});
    create table ${here}.texts (id text primary key, "a""b\\c'd é" text, list text[], j json);
    create table ${here}.wide (id int primary key, ${Array.from({ length: 1_590 }, (_, i) => `w${i} int`).join(', ')});
    create table ${here}.only_key (b int, a text, primary key (a, b));
    ${OUR_NAMES.map(
      (name) =>
        `create table ${here}."${name}" ("${name}" text primary key${odd
          .filter((column) => !column.startsWith(`"${name}"`))
          .map((column) => `, ${column}`)
          .join('')});`,
    ).join('\n')}
    ${KEYS.map(([name, columns, key]) => `create table ${here}.key_${name} (${columns}, v text, primary key (${key}));`).join('\n')}
  `.replaceAll(S, here)
}

let c: Carrier

beforeAll(async () => {
  c = await carrier({
    schemas: { old: schema('app'), new: schema('shop') },
    dualWrite: { mapped: { 'app.*': 'shop.*' } },
  })
})

afterAll(() => c.drop())

async function expectEqual(name: string, rows: number, order = 'id'): Promise<void> {
  const old = await bytesOf(c.old, `app.${quoteIdent(name)}`, order)
  expect(old).toHaveLength(rows)
  expect(await bytesOf(c.new, `shop.${quoteIdent(name)}`, order)).toEqual(old)
}

describe.each(['usual', 'replace'] as const)('%s', (how) => {
  it('values of types of the application and of extensions arrive, and come back', async () => {
    await c.old('delete from app.own')
    for (const row of [0, 1, 2, 3]) {
      const own = OWN.map(([, ...values]) => (values[row] ?? 'null').replaceAll(S, 'app'))
      await c.old(`insert into app.own values (${[row, ...own].join(', ')})`)
    }
    const before = await bytesOf(c.old, 'app.own')
    await c.carry('old', 'own', ['0', '1', '2', '3'], how)
    await expectEqual('own', 4)
    await c.old('delete from app.own')
    await c.carry('new', 'own', ['0', '1', '2', '3'], how)
    expect(await bytesOf(c.old, 'app.own')).toEqual(before)
  })

  it('texts that mean something in SQL, in arrays or to the client arrive', async () => {
    await c.old('delete from app.texts')
    for (const text of TEXTS)
      await c.old('insert into app.texts values ($1, $1, array[$1, null], to_json($1::text))', [text])
    await c.carry('old', 'texts', TEXTS, how)
    await expectEqual('texts', TEXTS.length)
  })

  it.each(KEYS)(
    'keys of the kind "%s" are found, written again as they are, and deleted',
    async (name, _, key, rows, again) => {
      const table = `key_${name}`
      const columns = key.split(', ')
      const text =
        columns.length === 1
          ? `${key}::text`
          : `array[${columns.map((one) => `${one}::text`).join(', ')}]::text`
      const keys = async (): Promise<string[]> =>
        (await c.reader.old.run<{ key: string }>(`select ${text} as key from app.${table}`)).map(
          (row) => row.key,
        )
      await c.old(`delete from app.${table}`)
      await c.new(`delete from shop.${table}`)
      await c.old(`insert into app.${table} values ${rows}`)
      const first = await keys()
      expect(await c.carry('old', table, first, how)).toMatchObject({ rows: first.length, gone: undefined })
      await expectEqual(table, first.length, key)
      if (again !== '') await c.old(`update app.${table} ${again}`)
      // The same row twice where it is now written otherwise, and each key twice.
      const second = [...first, ...(await keys())]
      expect(await c.carry('old', table, [...second, ...second], how)).toMatchObject({ rows: first.length })
      await expectEqual(table, first.length, key)
      await c.old(`delete from app.${table}`)
      await c.carry('old', table, second, how)
      await expectEqual(table, 0, key)
    },
  )
})

it.each(OUR_NAMES)('a table and columns with the names of our own, %s first, arrive', async (name) => {
  const values = [...OUR_NAMES.keys()].map((i) => `n || '${i}'`)
  await c.old(`insert into app."${name}" select ${values.join(', ')} from generate_series(1, 2) n`)
  for (const how of ['usual', 'replace'] as const) await c.carry('old', name, ['10', '20', '30'], how)
  await expectEqual(name, 2, quoteIdent(name))
})

it('as many columns as a table may well have arrive', async () => {
  await c.old('insert into app.wide (id, w0, w1589) values (1, 5, 6), (2, null, null)')
  for (const how of ['usual', 'replace'] as const) await c.carry('old', 'wide', ['1', '2', '3'], how)
  const text = (await c.old('select w::text from app.wide w order by id')).map(({ w }) => String(w))
  expect(text[0]).toMatch(/^\(1,5,,+,6\)$/)
  expect((await c.new('select w::text from shop.wide w order by id')).map(({ w }) => String(w))).toEqual(text)
})

it('rows that are nothing but a key arrive', async () => {
  await c.old(`insert into app.only_key values (1, 'a"\\'), (2, '')`)
  for (const how of ['usual', 'replace'] as const)
    await c.carry('old', 'only_key', ['{"a\\"\\\\",1}', '{"",2}', '{x,3}'], how)
  await expectEqual('only_key', 2, 'b')
})
