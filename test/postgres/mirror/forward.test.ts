// The forward stream: initial copy, what it carries, what it costs to call again, and what it refuses.
import { afterEach, expect, it } from 'vitest'
import {
  createForward,
  disableStream,
  dropStream,
  streamHealth,
  workerGone,
} from '../../../src/mirror/replication.js'
import { sentinelTable, streamName } from '../../../src/control/names.js'
import { fixture, one, until } from './fixture.js'
import type { Fixture } from './fixture.js'

const SCHEMA = `
  create table public.item (id int primary key, note text);
  create table public.event (id int, at int, note text, primary key (id, at)) partition by range (at);
  create table public.event_1 partition of public.event for values from (0) to (10);
  create table public.event_2 partition of public.event for values from (10) to (20);
  create table public.parent (id int primary key);
  create table public.child (extra text, primary key (id)) inherits (public.parent);`

const SEED = `
  insert into public.item select g, 'old ' || g from generate_series(1, 500) g;
  insert into public.event select g, g % 20, 'e' from generate_series(1, 200) g;
  insert into public.parent values (1); insert into public.child values (2, 'two');`

let f: Fixture
afterEach(() => f.drop())

it('copies every table, reports how far it is, and carries later changes with the sentinel behind them', async () => {
  f = await fixture({ schema: SCHEMA })
  await f.old(SEED)
  await createForward(f.m, 'old', f.onProgress)

  expect(await one(f.new, `select count(*)::int from public.item`)).toBe(500)
  expect(await one(f.new, `select count(*)::int from only public.event_2`)).toBe(100)
  expect(await f.new(`select id from only public.parent`)).toEqual([{ id: 1 }])
  expect(await f.new(`select id, extra from public.child`)).toEqual([{ id: 2, extra: 'two' }])
  expect(await streamHealth(f.m, 'old')).toEqual({
    exists: true,
    enabled: true,
    tablesReady: 6,
    tablesTotal: 6,
    applyErrors: 0,
    slotRetainedBytes: expect.any(Number) as number,
  })
  const last = f.progress.at(-1)
  expect(last).toMatchObject({ name: f.m.name, step: 'copy', detail: '6 of 6 tables' })
  expect(last?.done).toBe(last?.total)
  expect(last?.total).toBeGreaterThan(0)

  const sentinel = `cutover.${sentinelTable(f.m.name, 'old')}`
  await f.old(`insert into public.item values (1001, 'later'); update public.event set at = 15 where id = 1;
    delete from public.child; truncate public.parent cascade; update ${sentinel} set epoch = 7`)
  await until(f.new, `select epoch = 7 from ${sentinel}`)
  expect(await one(f.new, `select note from public.item where id = 1001`)).toBe('later')
  expect(await one(f.new, `select tableoid::regclass::text from public.event where id = 1`)).toBe(
    'public.event_2',
  )
  expect(await one(f.new, `select count(*)::int from public.parent`)).toBe(0)
})

it('may be called again, and takes tables and partitions made since', async () => {
  f = await fixture({ schema: SCHEMA })
  await f.old(SEED)
  await createForward(f.m, 'old', f.onProgress)
  const oid = await one(f.new, `select oid from pg_subscription where subname = $1`, [
    streamName(f.m.name, 'old'),
  ])
  await createForward(f.m, 'old', f.onProgress)
  await f.both(`create table public.event_3 partition of public.event for values from (20) to (30);
    create table public.added (id int primary key)`)
  await f.old(`insert into public.event values (7, 25, 'p'); insert into public.added values (1)`)
  await createForward(f.m, 'old', f.onProgress)

  expect(
    await one(f.new, `select oid from pg_subscription where subname = $1`, [streamName(f.m.name, 'old')]),
  ).toBe(oid)
  expect(await one(f.new, `select note from public.event_3`)).toBe('p')
  expect(await one(f.new, `select count(*)::int from public.added`)).toBe(1)
  expect(await streamHealth(f.m, 'old')).toMatchObject({ tablesReady: 8, tablesTotal: 8 })
})

it('covers the named tables and no other', async () => {
  f = await fixture({ schema: SCHEMA, tables: ['public.item'] })
  await f.old(SEED)
  await createForward(f.m, 'old', f.onProgress)
  expect(await one(f.new, `select count(*)::int from public.item`)).toBe(500)
  expect(await one(f.new, `select count(*)::int from public.event`)).toBe(0)
})

it('goes on where two calls at once, or a call cut off after any step, have left it', async () => {
  f = await fixture({ schema: SCHEMA })
  await f.old(SEED)
  await f.old(`create publication ${streamName(f.m.name, 'old')} for table only public.item`)
  await f.old(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [streamName(f.m.name, 'old')])
  await f.old(`insert into public.item values (900, 'in the slot and in the copy')`)
  await Promise.all([createForward(f.m, 'old', f.onProgress), createForward(f.m, 'old', f.onProgress)])
  expect(await one(f.new, `select count(*)::int from public.item`)).toBe(501)
  expect(await streamHealth(f.m, 'old')).toMatchObject({ tablesReady: 6, tablesTotal: 6, applyErrors: 0 })
})

it('does not copy onto a side that was opened', async () => {
  f = await fixture({ schema: SCHEMA })
  await f.new(`update cutover.side set status = 'writer'`)
  await expect(createForward(f.m, 'old', f.onProgress)).rejects.toMatchObject({ code: 'ERR_RIVAL' })
  expect(await streamHealth(f.m, 'old')).toMatchObject({ exists: false })
})

it('never enables a stream that was disabled', async () => {
  f = await fixture({ schema: SCHEMA })
  await createForward(f.m, 'old', f.onProgress)
  await f.m.control.new.transaction((run) => disableStream(f.m, 'old', run))
  await workerGone(f.m, 'old', 10_000)
  await expect(createForward(f.m, 'old', f.onProgress)).rejects.toMatchObject({ code: 'ERR_PREPARE' })
  expect(await streamHealth(f.m, 'old')).toMatchObject({ exists: true, enabled: false })
})

it('says that the slot of a standing subscription is gone', async () => {
  f = await fixture({ schema: SCHEMA })
  await createForward(f.m, 'old', f.onProgress)
  await f.m.control.new.transaction((run) => disableStream(f.m, 'old', run))
  await until(f.old, `select not active from pg_replication_slots where slot_name = $1`, [
    streamName(f.m.name, 'old'),
  ])
  await f.old(`select pg_drop_replication_slot($1)`, [streamName(f.m.name, 'old')])
  await f.new(`alter subscription ${streamName(f.m.name, 'old')} enable`)
  await expect(createForward(f.m, 'old', f.onProgress)).rejects.toThrow(/slot .* is gone/)
})

it('drops everything, on both sides, and again', async () => {
  f = await fixture({ schema: SCHEMA })
  await createForward(f.m, 'old', f.onProgress)
  await dropStream(f.m, 'old')
  await dropStream(f.m, 'old')
  for (const run of [f.old, f.new]) {
    expect(await run(`select from pg_publication`)).toEqual([])
    expect(await run(`select from pg_subscription where subname like $1`, [`%${f.m.name}%`])).toEqual([])
    expect(await run(`select from pg_replication_slots where database = current_database()`)).toEqual([])
    expect(await run(`select from pg_class where relname like 'sentinel%'`)).toEqual([])
  }
})
