// The backfill puts every key that was there at its beginning on record, whatever its type, and however often it is interrupted.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Run } from '../../../src/control/control-connection.js'
import { recordTable } from '../../../src/control/names.js'
import { beginBackfill, readBackfill, restartBackfillSql } from '../../../src/dual-write/backfill.js'
import { backfillStep } from '../../../src/dual-write/backfill-step.js'
import { readMirrored } from '../../../src/dual-write/tables.js'
import type { MirroredTable } from '../../../src/dual-write/tables.js'
import { fixture, one, type Fixture } from '../mirror/fixture.js'

const SCHEMA = `
  create collation public.blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
  create type public.mood as enum ('sad', 'fine', 'glad');
  create domain public.code as text;
  create extension citext schema public;
  create table public.by_int (id int primary key);
  create table public.by_big (id bigint primary key);
  create table public.by_uuid (id uuid primary key);
  create table public.by_text (id text primary key);
  create table public.by_c (id text collate "C" primary key);
  create table public.by_blind (id text collate public.blind primary key);
  create table public.by_citext (id public.citext primary key);
  create table public.by_char (id char(8) primary key);
  create table public.by_code (id public.code primary key);
  create table public.by_numeric (id numeric primary key);
  create table public.by_float (id float8 primary key);
  create table public.by_time (id timestamptz primary key);
  create table public.by_interval (id interval primary key);
  create table public.by_bytes (id bytea primary key);
  create table public.by_money (id money primary key);
  create table public.by_range (id int4range primary key);
  create table public.by_array (id text[] primary key);
  create table public.by_two (place text, nr int, mood public.mood, "before" date, extra text, primary key (place, mood, nr, "before"));
  create table public.by_odd ("x" int, "Last key %s" text not null, "range" int, primary key ("x", "Last key %s"));
  create table public.empty (id int primary key);
  create table public.parent (id int primary key);
  create table public.child (primary key (id)) inherits (public.parent);
  create table public.parts (day date, id int, primary key (day, id)) partition by range (day);
  create table public.parts_1 partition of public.parts for values from ('2020-01-01') to ('2020-02-01');
  create table public.parts_2 partition of public.parts for values from ('2020-02-01') to ('2020-03-01') partition by hash (id);
  create table public.parts_2a partition of public.parts_2 for values with (modulus 2, remainder 0);
  create table public.parts_2b partition of public.parts_2 for values with (modulus 2, remainder 1);
  create table public.queue (id int primary key, note text);`

const ROWS: Readonly<Record<string, string>> = {
  by_int: `select i - 50 from generate_series(1, 101) i`,
  by_big: `select i * 1000000007::bigint from generate_series(-30, 30) i`,
  by_uuid: `select md5(i::text)::uuid from generate_series(1, 73) i`,
  by_text: `select s || repeat('''', i) || chr(92) || i from generate_series(1, 11) i, unnest('{a,A,é,_,Z,"{x,y}"," ",ß}'::text[]) s`,
  by_c: `select s || i from generate_series(1, 11) i, unnest('{a,A,é,_,Z}'::text[]) s`,
  by_blind: `select s || i from generate_series(1, 11) i, unnest('{a,B,é,_,Z}'::text[]) s`,
  by_citext: `select s || i from generate_series(1, 11) i, unnest('{a,B,é,_,Z}'::text[]) s`,
  by_char: `select s || i from generate_series(1, 11) i, unnest('{a,B,c}'::text[]) s`,
  by_code: `select 'k' || i from generate_series(1, 23) i`,
  by_numeric: `select i::numeric / 7 from generate_series(1, 20) i union all values ('NaN'::numeric), ('Infinity'), (1.50)`,
  by_float: `select i::float8 / 7 from generate_series(1, 20) i union all values ('NaN'::float8), ('-Infinity'), (-0)`,
  by_time: `select '2020-01-01 00:00:00.123456+00'::timestamptz + i * interval '1000000.000001 s' from generate_series(1, 31) i
    union all values ('infinity'::timestamptz), ('0044-03-15 BC')`,
  by_interval: `select i * interval '1 month -3 days 04:05:06.7' from generate_series(1, 31) i`,
  by_bytes: `select decode(md5(i::text), 'hex') from generate_series(1, 31) i union all values (''::bytea)`,
  by_money: `select i::money from generate_series(-5, 25) i`,
  by_range: `select int4range(i, i + 3) from generate_series(1, 25) i union all values ('empty'::int4range), ('(,)')`,
  by_array: `select array['a,' || i, null, '"{}'] from generate_series(1, 25) i union all values ('{}'::text[])`,
  by_two: `select s || i, i % 5, m, date '2020-01-01' + i, 'x' from generate_series(1, 13) i, unnest('{"a b","{",é,''}'::text[]) s,
    unnest('{glad,sad,fine}'::public.mood[]) m`,
  by_odd: `select i % 4, 'k' || i, i from generate_series(1, 31) i`,
  parent: `select i from generate_series(1, 20) i`,
  child: `select i from generate_series(1, 20) i`,
  parts: `select date '2020-01-01' + i % 59, i from generate_series(1, 300) i`,
  queue: `select i from generate_series(1, 200) i`,
}

let f: Fixture
let tables: readonly MirroredTable[]
const record = (): string => `cutover.${recordTable(f.m.name)}`
const named = (name: string): MirroredTable => {
  const found = tables.find(({ from }) => from.name === name)
  if (!found) throw new Error(`${name} is not mirrored`)
  return found
}

beforeAll(async () => {
  f = await fixture({ schema: SCHEMA, dualWrite: {} })
  await f.old(`create table ${record()} (
    xid xid8 not null, tbl oid not null, key text collate "C", whole boolean not null default false)`)
  await f.old(
    Object.entries(ROWS)
      .map(([table, rows]) => `insert into public.${table} ${rows}`)
      .join(';\n'),
  )
  tables = (await readMirrored(f.m, 'old', { old: f.old, new: f.new })).tables
})
afterAll(() => f.drop())

/** Begins the table anew, with nothing on record. */
async function anew(table: MirroredTable): Promise<void> {
  await f.old(`delete from ${record()}`)
  await f.old(restartBackfillSql(f.m, table.from.oid))
}

async function toTheEnd(table: MirroredTable, limit: number, run: Run = f.old): Promise<number> {
  for (let steps = 1; ; steps++) if ((await backfillStep(run, f.m, table, limit)).finished) return steps
}

/** Keys that the table has and the record has not. */
function missing({ from, key }: MirroredTable): Promise<number> {
  const texts = key.map(({ name }) => `x."${name}"::text`)
  const text = texts.length === 1 ? texts[0] : `array[${texts.join(', ')}]::text`
  return one<number>(
    f.old,
    `select count(*)::int from ${from.only ? 'only ' : ''}public.${from.name} x
      where not exists (select from ${record()} r where r.tbl = ${from.oid} and r.key = ${text} collate "C")`,
  )
}

const onRecord = (table: MirroredTable): Promise<number> =>
  one<number>(f.old, `select count(*)::int from ${record()} where tbl = $1::oid`, [table.from.oid])

describe('a table', () => {
  it.each(Object.keys(ROWS))('%s has every key on record once', async (name) => {
    const table = named(name)
    await anew(table)
    await toTheEnd(table, 7)
    const rows = await one<number>(
      f.old,
      `select count(*)::int from ${table.from.only ? 'only ' : ''}public.${name}`,
    )
    expect(rows).toBeGreaterThan(15)
    expect([await missing(table), await onRecord(table)]).toEqual([0, rows])
  })

  it('without rows is finished at the first step', async () => {
    await anew(named('empty'))
    expect(await backfillStep(f.old, f.m, named('empty'), 7)).toEqual({ rows: 0, finished: true })
    expect(await onRecord(named('empty'))).toBe(0)
  })
})
