// What preflight says of a mirror by dual-write: each thing that a relay cannot pass on, under its code, on two real databases.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Migration } from '../../../src/control/migration.js'
import { preflight } from '../../../src/coordinator/preflight.js'
import type { Finding } from '../../../src/coordinator/preflight.js'
import { installCapture, removeCapture } from '../../../src/dual-write/capture.js'
import { fixture } from '../mirror/fixture.js'
import type { Fixture } from '../mirror/fixture.js'
import { plant, seen, titled, type Planted } from './planted.js'

interface Case extends Planted {
  readonly expected: {
    readonly severity?: 'warning'
    readonly side?: 'old' | 'new'
    readonly object: string
  }
}

// All of them in the same two databases and found by one look, so that none may hide another.
const CASES: readonly Case[] = [
  {
    code: 'key-missing',
    both: `create table public.keyless (id int, note text unique)`,
    expected: { side: 'old', object: 'public.keyless' },
  },
  {
    code: 'key-differs',
    title: 'not unique there',
    old: `create table public.loose (id int primary key)`,
    new: `create table public.loose (id int not null)`,
    expected: { side: 'new', object: 'public.loose' },
  },
  {
    code: 'key-differs',
    title: 'generated, so that it cannot be written',
    both: `create table public.made (half int, id int generated always as (half * 2) stored primary key)`,
    expected: { side: 'new', object: 'public.made' },
  },
  {
    code: 'key-collation',
    old: `create table public.named (name text primary key)`,
    new: `create collation public.any_case (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
      create table public.named (name text collate public.any_case primary key)`,
    expected: { side: 'new', object: 'public.named.name' },
  },
  {
    code: 'partition-layout',
    old: `create table public.event (id int primary key) partition by range (id);
      create table public.event_1 partition of public.event for values from (0) to (10)`,
    new: `create table public.event (id int primary key)`,
    expected: { severity: 'warning', side: 'new', object: 'public.event' },
  },
  {
    code: 'partition-ddl',
    expected: { severity: 'warning', side: 'old', object: 'public.event, public.full' },
  },
  {
    code: 'rule-on-table',
    title: 'of UPDATE, which an upsert is refused for',
    both: `create table public.ruled (id int primary key)`,
    new: `create rule hear as on update to public.ruled do also nothing;
      create rule deaf as on delete to public.ruled do instead nothing`,
    expected: { side: 'new', object: 'hear on public.ruled' },
  },
  {
    code: 'trigger-for-relay',
    both: `create function public.stamp() returns trigger language plpgsql as 'begin return new; end';
      create table public.stamped (id int primary key);
      create trigger stamp before insert on public.stamped for each row execute function public.stamp();
      create trigger quiet before insert on public.stamped for each row execute function public.stamp()`,
    new: `alter table public.stamped enable replica trigger stamp`,
    expected: { side: 'new', object: 'stamp on public.stamped' },
  },
  {
    code: 'unique-unchecked',
    both: `create table public.late (id int primary key, place int)`,
    new: `alter table public.late add unique (place) deferrable`,
    expected: { severity: 'warning', side: 'new', object: 'public.late' },
  },
  {
    code: 'unique-differs',
    title: 'by a constraint that excludes',
    both: `create table public.stay (id int primary key, span int4range)`,
    new: `alter table public.stay add exclude using gist (span with &&)`,
    expected: { severity: 'warning', side: 'new', object: 'public.stay' },
  },
  {
    code: 'unique-unchecked',
    title: 'where it excludes',
    both: `create table public.room (id int primary key, span int4range)`,
    new: `alter table public.room add exclude using gist (span with &&) deferrable initially deferred`,
    expected: { severity: 'warning', side: 'new', object: 'public.room' },
  },
  {
    code: 'constraint-differs',
    both: `create table public.sized (id int primary key, size int)`,
    new: `alter table public.sized add check (size > 0) not valid`,
    expected: { severity: 'warning', side: 'new', object: 'public.sized' },
  },
  {
    code: 'domain-differs',
    old: `create domain public.short as text`,
    new: `create domain public.short as text check (length(value) < 3)`,
    expected: { severity: 'warning', side: 'new', object: 'public.short' },
  },
  {
    code: 'composite-differs',
    old: `create type public.place as (x int, y int)`,
    new: `create type public.place as (y int, x int)`,
    expected: { side: 'new', object: 'public.place' },
  },
  {
    code: 'composite-differs',
    title: 'that is the row of a table, in a column of another one',
    old: `create table public.part (id int primary key, a int, b int);
      create table public.whole (id int primary key, part public.part[])`,
    new: `create table public.part (id int primary key, b int, a int);
      create table public.whole (id int primary key, part public.part[])`,
    expected: { side: 'new', object: 'public.part' },
  },
  {
    code: 'column-left-out',
    both: `create table public.grown (id int primary key)`,
    new: `alter table public.grown add column more text, add column filled int not null default 1`,
    expected: { severity: 'warning', side: 'new', object: 'public.grown.filled' },
  },
  {
    code: 'column-extra',
    both: `create table public.closed (id int primary key)`,
    new: `alter table public.closed add column more text not null`,
    expected: { side: 'new', object: 'public.closed.more' },
  },
  {
    code: 'column-missing',
    both: `create table public.shrunk (id int primary key)`,
    old: `alter table public.shrunk add column more text`,
    expected: { side: 'new', object: 'public.shrunk.more' },
  },
  {
    code: 'table-filled',
    both: `create table public.full (id int primary key) partition by hash (id);
      create table public.full_0 partition of public.full for values with (modulus 1, remainder 0)`,
    new: `insert into public.full values (1)`,
    expected: { side: 'new', object: 'public.full' },
  },
  {
    code: 'capture-bypassed',
    old: `create function public.load() returns void language plpgsql as
      $$ begin execute 'alter table public.late disable trigger all'; end $$`,
    expected: { severity: 'warning', side: 'old', object: 'public.load' },
  },
  {
    code: 'foreign-apply',
    // Its library is not there, but only the name counts.
    old: `create extension hstore; update pg_extension set extname = 'spock' where extname = 'hstore'`,
    new: `create extension hstore`,
    expected: { severity: 'warning', side: 'old', object: 'spock' },
  },
]

/** What is wrong on purpose and not the case's own concern. */
const ALSO = [
  'extension-missing',
  'foreign-subscription',
  'replica-session',
  'partition-ddl',
  'column-left-out',
  'trigger-differs',
  'rule-differs',
  'routine-missing',
]

describe('finds, for a relay,', () => {
  let f: Fixture
  let found: readonly Finding[]
  let streams: { readonly ours: string; readonly theirs: string }

  const subscribe = (name: string, table: string): string =>
    `create subscription ${name} connection 'host=127.0.0.1 port=1' publication p with (connect = false);
     insert into pg_subscription_rel (srsubid, srrelid, srsubstate)
       select oid, '${table}'::regclass, 'r' from pg_subscription where subname = '${name}'`
  const unsubscribe = (name: string): string =>
    `alter subscription ${name} set (slot_name = none); drop subscription ${name}`

  beforeAll(async () => {
    f = await fixture({ prepared: false, dualWrite: {} })
    for (const row of CASES) await plant(f, row)
    await f.new(
      `do $$ begin execute format('alter database %I set session_replication_role = replica', current_database()); end $$`,
    )
    streams = { ours: `cutover_${f.m.name}_from_old`, theirs: `theirs_${f.m.name}` }
    await f.new(subscribe(streams.ours, 'public.late'))
    await f.old(subscribe(streams.theirs, 'public.late'))
    found = await preflight(f.m, 'old', 'mirror')
    await f.new(unsubscribe(streams.ours))
    await f.old(unsubscribe(streams.theirs))
  })
  afterAll(() => f.drop())

  it.each(titled(CASES))('%s', (_, row) => {
    const { severity = 'error', side, object } = row.expected
    expect(found.map(seen)).toContainEqual({ code: row.code, severity, side, object })
  })

  it('sessions that are replicas from the start, whatever a relay is', () => {
    expect(found.map(seen)).toContainEqual({
      code: 'replica-session',
      severity: 'error',
      side: 'new',
      object: `database "${f.m.name}"`,
    })
  })

  it('streams that write into the same tables, also those of the same migration', () => {
    const subscriptions = found.filter(({ code }) => code === 'foreign-subscription')
    expect(subscriptions.map(({ side, object }) => [side, object])).toEqual([
      ['old', streams.theirs],
      ['new', streams.ours],
    ])
    expect(subscriptions[0]?.message).toContain('what this one writes is not recorded')
  })

  it('nothing else', () => {
    const expected = new Set([...CASES.map(({ code }) => code), ...ALSO])
    expect(found.map(({ code }) => code).filter((code) => !expected.has(code))).toEqual([])
    // Neither the rule that is silent for a replica, nor the trigger, nor a key for what is a partition.
    const errors = found.filter(({ severity }) => severity === 'error').map(({ object }) => object)
    expect(errors).not.toContain('deaf on public.ruled')
    expect(errors).not.toContain('quiet on public.stamped')
    for (const { message, why, fix } of found) {
      expect(message.length).toBeGreaterThan(20)
      expect(why).not.toBe('')
      expect(fix).not.toBe('')
    }
  })
})

const SHOP = (schema: string): string => `
  create schema if not exists ${schema};
  create type ${schema}.mood as enum ('sad', 'ok');
  create type ${schema}.place as (x int, mood ${schema}.mood);
  create domain ${schema}.feeling as ${schema}.mood;
  create table ${schema}.item (id serial primary key, mood ${schema}.mood[], place ${schema}.place, feeling ${schema}.feeling,
    note text unique, check (note <> ''), exclude using gist (box(point(id, id), point(id, id)) with &&));
  create table ${schema}.part (id int primary key, item int references ${schema}.item (id));
  create sequence ${schema}.free;`

describe('with other names on the new side', () => {
  let f: Fixture
  const mapped = { 'public.*': 'shop.*', 'public.item': 'shop.article' }
  beforeAll(async () => {
    f = await fixture({
      schemas: { old: SHOP('public'), new: `${SHOP('shop')}; alter table shop.item rename to article` },
      tables: ['public.item', 'public.part'],
      dualWrite: { mapped },
    })
  })
  afterAll(() => f.drop())

  const look = (m: Migration, from: 'old' | 'new' = 'old') =>
    preflight(m, from, 'cutover').then((found) => found.map(seen))

  it('finds nothing, either way, with and without named tables', async () => {
    expect(await preflight(f.m, 'old', 'mirror')).toEqual([])
    expect(await look(f.m)).toEqual([])
    expect(await look(f.m, 'new')).toEqual([])
    expect(await look({ ...f.m, tables: undefined })).toEqual([])
  })

  it('finds differences under the name of the side that has to be changed', async () => {
    await f.new(
      `alter type shop.mood add value 'glad'; drop sequence shop.free; alter table shop.part rename to piece;
        alter table shop.article add column more text not null`,
    )
    const found = await look({ ...f.m, tables: undefined })
    const error = (side: string, code: string, object: string) => ({ code, severity: 'error', side, object })
    expect(found).toContainEqual(error('new', 'enum-differs', 'shop.mood'))
    expect(found).toContainEqual(error('new', 'column-extra', 'shop.article.more'))
    expect(found).toContainEqual(error('new', 'sequence-missing', 'shop.free'))
    expect(found).toContainEqual(error('new', 'table-missing', 'shop.part'))
    expect(found).toContainEqual(error('new', 'table-extra', 'shop.piece'))
    await f.new(`alter table shop.piece rename to part; alter table shop.article drop column more`)
  })

  it('finds names that lead to two tables, and such that lead nowhere', async () => {
    const dualWrite = {
      ...f.m.dualWrite,
      mapped: { ...mapped, 'public.item': 'shop.part', 'public.itme': 'shop.x' },
    }
    const found = await look({ ...f.m, dualWrite })
    expect(found).toContainEqual({
      code: 'mapping-collides',
      severity: 'error',
      side: 'old',
      object: 'public.part',
    })
    expect(found).toContainEqual({
      code: 'mapping-unknown',
      severity: 'warning',
      side: 'old',
      object: 'public.itme',
    })
  })

  it('finds a capture that somebody has switched off', async () => {
    const deadline = performance.now() + 10_000
    await installCapture(f.m, 'new', deadline)
    await installCapture(f.m, 'old', deadline)
    expect((await look(f.m)).map(({ code }) => code)).not.toContain('capture-gap')
    await f.old(`alter table public.part disable trigger all`)
    const gap = { code: 'capture-gap', severity: 'warning', side: 'old', object: 'public.part' }
    expect(await look(f.m)).toContainEqual(gap)
    await removeCapture(f.m, 'old', deadline)
    await removeCapture(f.m, 'new', deadline)
  })

  it('lets a table be full that a backfill was begun for', async () => {
    await f.new(`insert into shop.article (note) values ('here')`)
    const filled = { code: 'table-filled', severity: 'error', side: 'new', object: 'shop.article' }
    expect((await preflight(f.m, 'old', 'mirror')).map(seen)).toContainEqual(filled)
    await f.old(
      `insert into cutover.backfill (name, tbl, table_name, rows_total) values ($1, 'public.item'::regclass, 'public.item', 0)`,
      [f.m.name],
    )
    expect((await preflight(f.m, 'old', 'mirror')).map(({ code }) => code)).not.toContain('table-filled')
  })
})
