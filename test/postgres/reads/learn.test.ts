// Shows that a change of the schema is seen at the next learning, that nothing is read again without one, and what a failure leaves.
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadStatements, type CatalogQuery, type Statements } from '../../../src/reads/statements.js'
import { freshDatabases, type FreshDatabases, type Side } from '../../support/databases.js'

let databases: FreshDatabases
let clients: Record<Side, Client>

beforeAll(async () => {
  databases = await freshDatabases()
  clients = { old: new Client(databases.old), new: new Client(databases.new) }
  for (const client of [clients.old, clients.new]) {
    await client.connect()
    await client.query(
      `create table t (id int primary key, a int unique); create sequence s; create view v as select id from t;
       create function f() returns bigint language sql stable as 'select 1::bigint';
       create function w() returns bigint language sql as 'select nextval(''s'')';
       create domain d as int; create schema other`,
    )
  }
})

afterAll(async () => {
  await Promise.all([clients.old.end(), clients.new.end()])
  await databases.drop()
})

describe.each(['old', 'new'] as const)('on the %s side', (side) => {
  let statements: Statements
  const asked: string[] = []
  const query: CatalogQuery = (text) => {
    asked.push(text)
    return clients[side].query(text)
  }
  const broken = async (of: Statements): Promise<void> =>
    expect(of.learn(side, () => Promise.reject(new Error('gone')))).rejects.toThrow('gone')

  beforeAll(async () => {
    statements = await loadStatements()
    await statements.learn(side, query)
  })

  it.each([
    ['a view', 'select * from made', false, 'create view made as select 1 as a', true],
    [
      'a view that is replaced',
      'select * from v',
      true,
      "create or replace view v as select nextval('s')::int as id",
      false,
    ],
    ['a view that is dropped', 'select * from made', true, 'drop view made', false],
    [
      'a function',
      'select g()',
      false,
      "create function g() returns int language sql immutable as 'select 1'",
      true,
    ],
    ['a function declared volatile', 'select g()', true, 'alter function g() volatile', false],
    [
      'a function that calls another',
      'select f()',
      true,
      "create or replace function f() returns bigint language sql stable as 'select w()'",
      false,
    ],
    [
      'a policy',
      'select * from t',
      true,
      'create policy p on t using (w() > 0); alter table t enable row level security',
      false,
    ],
    ['a policy that is dropped', 'select * from t', false, 'drop policy p on t', true],
    ['a check of a domain', 'select 1::d', true, 'alter domain d add check (w() > value)', false],
    [
      'an operator',
      'select 1 ?!? 1',
      false,
      'create operator ?!? (leftarg = int, rightarg = int, function = int4pl)',
      true,
    ],
    [
      'a function of the same name',
      "select lower(b) from (select '' as b) x",
      true,
      "create function other.lower(int) returns bigint language sql as 'select w()'",
      false,
    ],
    ['a rename', 'select * from renamed', false, 'alter table t rename to renamed', true],
    [
      'a temporary table of the same name',
      'select * from renamed',
      true,
      'create temporary table renamed (id int)',
      false,
    ],
  ])('%s is seen at the next learning', async (_, text, before, change, after) => {
    expect(statements.isRead(text, side)).toBe(before)
    await clients[side].query(change)
    expect(statements.isRead(text, side)).toBe(before)
    await statements.learn(side, query)
    expect(statements.isRead(text, side)).toBe(after)
  })

  it('nothing is read again as long as nothing has changed', async () => {
    asked.length = 0
    await clients[side].query('insert into renamed values (1); update renamed set id = 2; analyze')
    await statements.learn(side, query)
    expect(asked.length).toBe(1)
    expect(statements.isRead('select 1', side)).toBe(true)
  })

  it('a learning that fails leaves what was learnt before', async () => {
    const other = await loadStatements()
    await broken(other)
    expect(other.isRead('select 1', side)).toBe(false)
    await broken(statements)
    expect(statements.isRead('select 1', side)).toBe(true)
  })

  it('nothing is a read where a backslash may end a string elsewhere', async () => {
    expect(statements.isRead('select 1', side)).toBe(true)
    await clients[side].query('set standard_conforming_strings = off')
    await statements.learn(side, query)
    expect(statements.isRead('select 1', side)).toBe(false)
    await clients[side].query('reset standard_conforming_strings')
  })

  it('nothing is a read where a cast that no text shows writes', async () => {
    await clients[side].query(
      `create type pair as (x int); create function of_pair(pair) returns int language sql as 'select w()::int';
       create cast (pair as int) with function of_pair(pair) as implicit`,
    )
    await statements.learn(side, query)
    expect(statements.isRead('select 1', side)).toBe(false)
    await clients[side].query('drop cast (pair as int)')
    await statements.learn(side, query)
    expect(statements.isRead('select 1', side)).toBe(true)
  })

  it('functions of extensions that run the text that they are given are no reads, however they are declared', async () => {
    await clients[side].query('create extension tablefunc')
    await statements.learn(side, query)
    expect(statements.isRead(`select * from crosstab('select w()') as made(a text, b text)`, side)).toBe(
      false,
    )
    expect(statements.isRead(`select * from crosstab2('select w()')`, side)).toBe(false)
    await clients[side].query('drop extension tablefunc')
  })

  it('it takes no privileges', async () => {
    const role = `reader_${databases.name}`
    await clients[side].query(`create role ${role}`)
    try {
      const other = await loadStatements()
      await clients[side].query(`set role ${role}`)
      await other.learn(side, query)
      expect(other.isRead('select g()', side)).toBe(false)
      expect(other.isRead('select 1::d', side)).toBe(false)
      expect(other.isRead('select 1 ?!? 1', side)).toBe(true)
    } finally {
      await clients[side].query(`reset role; drop role ${role}`)
    }
  })
})
