// The scope is closed over parents and children, keeps one order, and leaves out what is not the application's.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readScope, scopeSql } from '../../../src/mirror/scope.js'
import { fixture } from './fixture.js'
import type { Fixture } from './fixture.js'

let f: Fixture

beforeAll(async () => {
  f = await fixture({
    schema: `
      create schema "We ird.schema";
      create table public.plain (id int primary key);
      create table public."Upper" (id int primary key);
      create table "We ird.schema"."ta.b""le\\" (id int primary key);
      create table public.parent (id int primary key);
      create table public.child () inherits (public.parent);
      create table public.grandchild () inherits (public.child);
      create table public.root (id int, at int, primary key (id, at)) partition by range (at);
      create table public.root_1 partition of public.root for values from (0) to (10) partition by range (at);
      create table public.root_1_a partition of public.root_1 for values from (0) to (5);
      create table public.root_2 partition of public.root for values from (10) to (20);
      create unlogged table public.quick (id int primary key);
      create temporary table passing (id int primary key);
      create view public.seen as select 1 as one;
      create extension hstore schema public;
      create table public.of_extension (id int);
      alter extension hstore add table public.of_extension;`,
  })
})
afterAll(() => f.drop())

const names = async (tables?: readonly string[]): Promise<string[]> =>
  (await readScope(f.old, tables)).map((table) => `${table.schema}.${table.name} ${table.kind}`)

it('covers every permanent table of the application, in one order', async () => {
  expect(await names()).toEqual([
    'We ird.schema.ta.b"le\\ r',
    'public.Upper r',
    'public.child r',
    'public.grandchild r',
    'public.parent r',
    'public.plain r',
    'public.root p',
    'public.root_1 p',
    'public.root_1_a r',
    'public.root_2 r',
  ])
})

it.each([
  ['an ordinary table', ['public.plain'], ['public.plain r']],
  ['capital letters', ['public.Upper'], ['public.Upper r']],
  ['quoted parts with dots', ['"We ird.schema"."ta.b""le\\"'], ['We ird.schema.ta.b"le\\ r']],
  ['no table', [], []],
  [
    'an inheritance child, with all its kin',
    ['public.child'],
    ['public.child r', 'public.grandchild r', 'public.parent r'],
  ],
  [
    'one partition, with its root and its siblings',
    ['public.root_1_a', 'public.plain'],
    ['public.plain r', 'public.root p', 'public.root_1 p', 'public.root_1_a r', 'public.root_2 r'],
  ],
])('covers %s', async (_, tables, expected) => {
  expect(await names(tables)).toEqual(expected)
})

it.each(['public.nothing', 'public.quick', 'public.seen', 'nowhere.plain'])(
  'refuses %s, which is no permanent table, by name',
  async (table) => {
    await expect(names(['public.plain', table])).rejects.toMatchObject({
      code: 'ERR_OPTION',
      message: expect.stringContaining(`"${table}"`) as string,
    })
  },
)

it.each(['plain', 'a.b.c', '', 'public.', '"open.plain'])('refuses "%s" as a name', async (table) => {
  await expect(names([table])).rejects.toMatchObject({ code: 'ERR_OPTION' })
})

it('is the same inside a server-side unit with an empty search_path', async () => {
  await f.old(`do $$ begin set local search_path = '';
    create temporary table scope_seen as ${scopeSql(['public.child'])}; end $$`)
  const seen = await f.old(`select schema, name, kind, oid::int8::int as oid from pg_temp.scope_seen`)
  const scope = await readScope(f.old, ['public.child'])
  expect(seen).toEqual(scope.map(({ schema, name, kind, oid }) => ({ schema, name, kind, oid })))
})
