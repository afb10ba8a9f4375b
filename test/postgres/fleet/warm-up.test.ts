// What the connections to the side that is to be opened run before anybody waits: it loads the fence, and does nothing.
import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ensureStandingTriggers } from '../../../src/coordinator/fence-triggers.js'
import { warmUpText } from '../../../src/fleet/warm-up.js'
import { protocolFixture, type ProtocolFixture } from '../protocol/fixture.js'

let f: ProtocolFixture
let client: pg.Client

beforeAll(async () => {
  f = await protocolFixture({
    schema: `
      create table public.item (id int primary key, n int generated always as (id + 1) stored);
      create table public.audited (id int primary key);
      create table public.ruled (id int primary key);
      create table public.noted (what text);
      create sequence public.hits;
      create function public.note() returns trigger language plpgsql as $$
        begin insert into public.noted values (tg_table_name); return null; end $$;
      create trigger a_first before delete on public.audited for each statement execute function public.note();
      create rule also as on delete to public.ruled do also insert into public.noted values ('ruled');
    `,
    tables: ['public.item', 'public.audited', 'public.ruled'],
  })
  client = new pg.Client({ connectionString: f.urls.new })
  await client.connect()
})
afterAll(async () => {
  await client.end()
  await f.drop()
})

it('runs the fence of each table, and nothing of the application', async () => {
  const text = warmUpText(['"public"."gone"', '"public"."item"', '"public"."audited"', '"public"."ruled"'])
  await ensureStandingTriggers(f.m, 'new', performance.now() + 5_000)
  // What is done in a session's sequence stays, whatever is rolled back.
  await client.query(`create or replace function cutover.fence() returns trigger language plpgsql as $$
    begin perform nextval('public.hits'); raise exception using errcode = 'P0004'; end $$`)
  await client.query(text)
  const { rows } = await client.query(
    'select last_value::int as hits, is_called, (select count(*)::int from public.noted) as noted from public.hits',
  )
  expect(rows).toEqual([{ hits: 1, is_called: true, noted: 0 }])
})

it('does nothing where no fence stands', async () => {
  await client.query('alter table public.item disable trigger all')
  await client.query(`insert into public.item values (1)`)
  await client.query(warmUpText(['"public"."item"']))
  expect((await client.query('select n from public.item')).rows).toEqual([{ n: 2 }])
  await client.query('alter table public.item enable trigger all')
})

it('does not wait for a lock, nor fail for a right that is missing', async () => {
  const app = await f.app('new')
  const lock = new pg.Client({ connectionString: f.urls.new })
  await lock.connect()
  await lock.query('begin')
  await lock.query('lock table public.item in share mode')
  try {
    await client.query(warmUpText(['"public"."item"']))
    await app.query(warmUpText(['"cutover"."side"', '"public"."item"']))
  } finally {
    await lock.end()
    await app.end()
  }
})
