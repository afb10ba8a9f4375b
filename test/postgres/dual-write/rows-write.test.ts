// What is written where a table has a shape of its own, what is refused rather than changed, and that the guard holds.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readRows } from '../../../src/dual-write/read-rows.js'
import { sessionOf } from '../../../src/dual-write/rows-session.js'
import { clearText, GUARD_SQLSTATE, writeText } from '../../../src/dual-write/write-rows.js'
import { NEW, OLD } from './odd-tables.js'
import { bytesOf, carrier, type Carrier } from './rows-fixture.js'

const MEGABYTE = 1024 * 1024

let c: Carrier

beforeAll(async () => {
  c = await carrier({
    schemas: { old: `set search_path = public; ${OLD}`, new: `set search_path = public; ${NEW}` },
  })
  // The catalogs are read as by the connections of ours, which find no type of the application without its schema.
  await c.both('set search_path = pg_catalog')
  await Promise.all([c.table('old', 'big'), c.table('new', 'big')])
  await c.both('set search_path = public')
})

afterAll(() => c.drop())

async function expectEqual(name: string, order = 'id'): Promise<void> {
  expect(await bytesOf(c.new, name, order)).toEqual(await bytesOf(c.old, name, order))
}

const fails = (name: string, text: string): Promise<unknown> =>
  c
    .old(text)
    .then(() => c.carry('old', name, ['1']))
    .then(
      () => 'written',
      (error: unknown) => (error instanceof Error && 'code' in error ? error.code : error),
    )

describe('a table with a shape of its own', () => {
  it('whose key the server makes always keeps its keys, and its generated columns are left to the other side', async () => {
    await c.old(`insert into always (v) values ('a'), ('b')`)
    await c.carry('old', 'always', ['1', '2'])
    await c.old(`update always set v = 'c' where id = 2`)
    await c.old('delete from always where id = 1')
    await c.carry('old', 'always', ['1', '2'])
    await expectEqual('always')
    expect(await c.new('select * from always')).toEqual([{ id: '2', v: 'c', twice: 'cc' }])
  })

  it('whose key is deferrable arrives', async () => {
    await c.old(`insert into deferred values (1, 'a'), (2, 'b')`)
    await c.carry('old', 'deferred', ['1', '2'])
    await c.old('update deferred set id = 3 - id')
    await c.carry('old', 'deferred', ['1', '2'])
    await expectEqual('deferred')
  })

  it('whose rows have exchanged unique values arrives by "replace" alone', async () => {
    await c.old('insert into chosen values (1, 10), (2, 20), (3, 30)')
    await c.carry('old', 'chosen', ['1', '2', '3'])
    await c.old(
      'begin; update chosen set v = -v; update chosen set v = case v when -10 then 20 when -20 then 10 else 30 end; commit',
    )
    await expect(c.carry('old', 'chosen', ['1', '2', '3'])).rejects.toMatchObject({ code: '23505' })
    const batches = [await c.read('old', 'chosen', ['1', '3']), await c.read('old', 'chosen', ['2'])]
    await c.write('new', batches, 'replace')
    await expectEqual('chosen')
  })

  it('that is partitioned, on one side or both and each in its way, arrives and is deleted', async () => {
    await c.old(`insert into root values (1, 1, 'a'), (1, 2, 'b'), (2, 7, 'c')`)
    await c.old(`insert into split select n, 'x' || n from generate_series(1, 9) n`)
    const keys = ['{1,1}', '{1,2}', '{2,7}', '{2,1}']
    await c.carry('old', 'root', keys)
    await c.carry('old', 'split', ['1', '2', '3', '4'])
    await c.old(
      'update root set part = 1 where id = 2; delete from root where id = 1 and part = 2; delete from split where id > 2',
    )
    for (const how of ['usual', 'replace'] as const) {
      await c.carry('old', 'root', keys, how)
      await c.carry('old', 'split', ['1', '2', '3', '4'], how)
      await expectEqual('root', 'id, part')
      await expectEqual('split')
    }
    await c.old('delete from split')
    await c.carry('new', 'split', ['1', '2', '3'])
    await expectEqual('split')
  })

  it('that others inherit from stands for its own rows alone', async () => {
    await c.old(
      `insert into parent values (1, 'parent'); insert into child values (2, 'child', 5), (1, 'child', 6)`,
    )
    await c.carry('old', 'child', ['1', '2'])
    await c.carry('old', 'parent', ['1', '2'])
    await expectEqual('parent')
    await expectEqual('child')
    await c.old('delete from only parent')
    await c.carry('old', 'parent', ['1', '2'])
    await c.new(clearText(c.guard('new'), await c.table('old', 'parent')))
    expect(await c.new('select id, v from parent order by id')).toEqual([
      { id: 1, v: 'child' },
      { id: 2, v: 'child' },
    ])
  })

  it('is written past the triggers and the foreign keys of the other side', async () => {
    await c.old(
      `insert into watched values (1, 'a'), (2, 'b'); insert into family values (1, null), (2, 1), (3, 2)`,
    )
    await c.carry('old', 'watched', ['1', '2'])
    await c.old('delete from watched where id = 1')
    await c.carry('old', 'watched', ['1', '2'])
    await c.carry('old', 'family', ['3'])
    await c.carry('old', 'family', ['1', '2'])
    await c.carry('old', 'family', ['1', '2'], 'replace')
    await expectEqual('watched')
    await expectEqual('family')
  })

  it('with columns that one side alone has keeps those of the side that is written', async () => {
    await c.old(`insert into partial values (1, 'a', 'b')`)
    await c.carry('old', 'partial', ['1'])
    await c.new(`update partial set own = 'mine'`)
    await c.old(`update partial set kept = 'c'`)
    await c.carry('old', 'partial', ['1'])
    expect(await c.new('select * from partial')).toEqual([{ own: 'mine', kept: 'c', id: 1 }])
  })
})

describe('large rows', () => {
  beforeAll(async () => {
    await c.old(`alter table big alter v set storage external`)
    await c.old(`insert into big select n, repeat('"\\''é' || n, ${MEGABYTE} / 8), decode(repeat('00ff', ${MEGABYTE} / 4), 'hex'),
      jsonb_build_object('"', repeat('\\', 1000)) from generate_series(1, 5) n`)
  })

  it('of several megabytes arrive', async () => {
    const batch = await c.carry('old', 'big', ['1', '2'])
    expect(batch.bytes).toBeGreaterThan(3 * MEGABYTE)
    await expectEqual('big', 'id limit 2')
  })

  it.each([
    [1, 2, 1, undefined],
    [5 * MEGABYTE, 4, 2, '{9}'],
    [1_000 * MEGABYTE, 8, 5, '{9}'],
  ])('are read up to %i bytes, at least one', async (bytes, taken, rows, gone) => {
    const keys = ['1', '1', '2', '9', '3', '4', '5', '5']
    const some = await readRows(c.reader.old.run, await c.table('old', 'big'), keys, bytes)
    expect(some).toMatchObject({ taken, gone, rows })
  })
})

it('what does not fit is refused and never cut', async () => {
  const row = {
    a: 'abcde',
    b: 'abc',
    c: 'abc ',
    d: '101',
    e: '{abc}',
    f: '123.4',
    g: '5',
    h: '(abc,1)',
    i: '',
  }
  const filled = (changed: Partial<Record<keyof typeof row, string | null>>): string => {
    const values = Object.values({ ...row, ...changed }).map((value) =>
      value === null ? 'null' : `'${value}'`,
    )
    return `begin; delete from tight; insert into tight values (1, ${values.join(', ')}); commit`
  }
  expect(await fails('tight', filled({}))).toBe('written')
  expect(await fails('tight', filled({ a: 'abcdef' }))).toBe('22001')
  expect(await fails('tight', filled({ b: 'abcd' }))).toBe('22001')
  expect(await fails('tight', filled({ c: 'abcd' }))).toBe('22001')
  expect(await fails('tight', filled({ d: '1' }))).toBe('22026')
  expect(await fails('tight', filled({ e: '{abcd}' }))).toBe('22001')
  expect(await fails('tight', filled({ f: '1234.5' }))).toBe('22003')
  expect(await fails('tight', filled({ g: '2147483648' }))).toBe('22003')
  expect(await fails('tight', filled({ h: '(abcd,1)' }))).toBe('22001')
  expect(await fails('tight', filled({ i: null }))).toBe('23502')
  expect(await c.new('select a, h::text from tight')).toEqual([{ a: 'abcde', h: '(abc,1)' }])
})

it('rows that a policy hides are an error, not gone', async () => {
  const role = `r_${c.m.name}`
  await c.old(
    `create role ${role}; grant usage on schema public to ${role}; grant select on secret to ${role}`,
  )
  await c.old(`insert into secret values (1, 'a'); alter table secret enable row level security`)
  const hidden = c.m.control.old.fork({ session: `${sessionOf('read')}; set role ${role}` })
  try {
    await expect(readRows(hidden.run, await c.table('old', 'secret'), ['1'])).rejects.toMatchObject({
      code: '42501',
    })
  } finally {
    await hidden.close()
    await c.old(`drop owned by ${role}; drop role ${role}`)
  }
})

describe('the guard', () => {
  const setting = (set: string): Promise<unknown> => c.new(`update cutover.side set ${set}`)

  beforeAll(async () => {
    await c.old(`insert into parent values (7, 'guarded')`)
    await c.new('delete from parent')
  })

  it.each([
    `relay_generation = 1`,
    `status = 'writer'`,
    `status = 'fenced'`,
    `name = 'another'`,
    `identity = 'old'`,
  ])('lets nothing through where the row says %s', async (set) => {
    const batch = await c.read('old', 'parent', ['7'])
    await setting(set)
    try {
      for (const text of [
        writeText(c.guard('new'), [batch], 'usual'),
        writeText(c.guard('new'), [], 'usual'),
        clearText(c.guard('new'), batch.table),
      ]) {
        await expect(c.writer.new.run(text)).rejects.toMatchObject({ code: GUARD_SQLSTATE })
        await c.writer.new.run('rollback')
      }
    } finally {
      await setting(`relay_generation = 0, status = 'mirror', identity = 'new', name = '${c.m.name}'`)
    }
    expect(await c.new('select from parent')).toEqual([])
  })

  it.each(['mirror', 'moved'])('lets its own generation through to a side that is %s', async (status) => {
    await setting(`status = '${status}'`)
    await c.carry('old', 'parent', ['7'])
    expect(await c.new('select id from parent')).toEqual([{ id: 7 }])
    await c.writer.new.run(clearText(c.guard('new'), await c.table('old', 'parent')))
    expect(await c.new('select id from parent')).toEqual([])
  })
})
