// The backfill puts every key that was there at its beginning on record, whatever its type, and however often it is interrupted.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { controlConnection } from '../../../src/control/control-connection.js'
import type { Run } from '../../../src/control/control-connection.js'
import { recordTable } from '../../../src/control/names.js'
import { readBackfill, restartBackfillSql } from '../../../src/dual-write/backfill.js'
import { backfillStep } from '../../../src/dual-write/backfill-step.js'
import { readMirrored } from '../../../src/dual-write/tables.js'
import type { MirroredTable } from '../../../src/dual-write/tables.js'
import { fixture, one, until, type Fixture } from '../mirror/fixture.js'

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
    xid xid8 not null, tbl oid not null, key text collate "C", whole boolean not null default false);
    create index on ${record()} (xid)`)
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
function missing({ from, key }: MirroredTable, where = 'true'): Promise<number> {
  const texts = key.map(({ name }) => `x."${name}"::text`)
  const text = texts.length === 1 ? texts[0] : `array[${texts.join(', ')}]::text`
  return one<number>(
    f.old,
    `select count(*)::int from ${from.only ? 'only ' : ''}public.${from.name} x
      where (${where}) and not exists (select from ${record()} r where r.tbl = ${from.oid} and r.key = ${text} collate "C")`,
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

describe('a backfill', () => {
  it('tells how far each table has come, and how fast it goes', async () => {
    await f.old('delete from cutover.backfill')
    await f.old('analyze')
    for (const { from } of tables) await f.old(restartBackfillSql(f.m, from.oid))
    const begun = await readBackfill(f.old, f.m.name)
    expect(begun).toMatchObject({ done: 0, finished: false, rowsPerSecond: undefined })
    expect(begun.tables).toHaveLength(tables.length)
    const queue = async (): Promise<unknown> =>
      (await readBackfill(f.old, f.m.name)).tables.find(({ table }) => table === 'public.queue')
    expect(await queue()).toMatchObject({ done: 0, total: 200, finished: false })
    await backfillStep(f.old, f.m, named('queue'), 50)
    expect(await queue()).toMatchObject({ done: 50, total: 200, finished: false })

    for (const table of tables) await toTheEnd(table, 1_000)
    const end = await readBackfill(f.old, f.m.name, begun)
    expect(end).toMatchObject({ finished: true, total: end.done, millisLeft: 0 })
    expect(end.rowsPerSecond).toBeGreaterThan(0)
  })

  it('does nothing while the side is fenced, and goes on after', async () => {
    const table = named('queue')
    await anew(table)
    await f.old(`update cutover.side set status = 'fenced'`)
    expect(await backfillStep(f.old, f.m, table, 50)).toEqual({ rows: 0, finished: false })
    await f.old(`update cutover.side set status = 'writer'`)
    expect(await backfillStep(f.old, f.m, table, 50)).toEqual({ rows: 50, finished: false })
    expect(await onRecord(table)).toBe(50)
  })

  it('waits for nobody who holds the table', async () => {
    const table = named('queue')
    await anew(table)
    const other = f.m.control.old.fork()
    try {
      await other.transaction(async (run) => {
        await run('lock table public.queue')
        expect(await backfillStep(f.old, f.m, table, 50)).toEqual({ rows: 0, finished: false })
      })
    } finally {
      await other.close()
    }
    expect(await backfillStep(f.old, f.m, table, 50)).toEqual({ rows: 50, finished: false })
  })

  it('of a table that is gone is over', async () => {
    await f.both('create table public.brief (id int primary key)')
    const { tables: now } = await readMirrored(f.m, 'old', { old: f.old, new: f.new })
    const table = now.find(({ from }) => from.name === 'brief')
    if (!table) throw new Error('not mirrored')
    await f.old(restartBackfillSql(f.m, table.from.oid))
    await f.both('drop table public.brief')
    expect(await backfillStep(f.old, f.m, table, 50)).toEqual({ rows: 0, finished: true })
    expect((await readBackfill(f.old, f.m.name)).tables.map(({ oid }) => oid)).not.toContain(table.from.oid)
  })

  it('reads no other table that has taken the name', async () => {
    const table = named('queue')
    await anew(table)
    await f.old(`alter table public.queue rename to queue_before`)
    await f.old(`create table public.queue (id int primary key)`)
    await expect(backfillStep(f.old, f.m, table, 50)).rejects.toMatchObject({ code: '42P01' })
    await f.old(`drop table public.queue`)
    await f.old(`alter table public.queue_before rename to queue`)
  })

  it('begun again while a step waits, puts every row on record', async () => {
    const table = named('queue')
    await anew(table)
    const other = f.m.control.old.fork()
    const stepping = f.m.control.old.fork()
    try {
      await stepping.run('select 1')
      const stepped = await other.transaction(async (run) => {
        await run(restartBackfillSql(f.m, table.from.oid))
        const step = backfillStep(stepping.run, f.m, table, 50)
        await until(
          f.old,
          `exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')`,
        )
        // Committed with the restart: the step that waits must see it.
        await run('insert into public.queue select -i from generate_series(1, 10) i')
        return { step }
      })
      expect(await stepped.step).toEqual({ rows: 50, finished: false })
      await toTheEnd(table, 50)
      expect([await missing(table), await onRecord(table)]).toEqual([0, 210])
    } finally {
      await other.close()
      await stepping.close()
    }
  })

  it('makes the same keys on a connection that prints values otherwise', async () => {
    const table = named('by_time')
    const odd = controlConnection({
      side: 'old',
      config: { connectionString: f.urls.old },
      session: `set datestyle = 'SQL, DMY'; set timezone = 'America/St_Johns'; set bytea_output = 'escape'`,
    })
    try {
      await anew(table)
      await toTheEnd(table, 7, odd.run)
      expect(await missing(table)).toBe(0)
    } finally {
      await odd.close()
    }
  })

  it('walks the indexes of twenty partitions', async () => {
    await f.both(`create table public.many (id int primary key, note text) partition by hash (id)`)
    const parts = Array.from(
      { length: 20 },
      (_, nr) =>
        `create table public.many_${nr} partition of public.many for values with (modulus 20, remainder ${nr})`,
    )
    await f.both(parts.join(';'))
    await f.old(`insert into public.many select i, 'note' from generate_series(1, 4000) i`)
    const { tables: now } = await readMirrored(f.m, 'old', { old: f.old, new: f.new })
    const table = now.find(({ from }) => from.name === 'many')
    if (!table) throw new Error('not mirrored')
    await anew(table)
    const scans = async (): Promise<number> => {
      await f.old('select pg_stat_force_next_flush()')
      return one(
        f.old,
        `select coalesce(sum(seq_scan), 0)::int from pg_stat_user_tables where relname like 'many%'`,
      )
    }
    const before = await scans()
    await toTheEnd(table, 500)
    expect([await onRecord(table), (await scans()) - before]).toEqual([4000, 0])
  })
})

describe.each([1, 2, 3])('interrupted at any step, seed %i', (seed) => {
  it('has every key of the beginning on record', async () => {
    const random = randomOf(seed)
    const table = named(random() < 0.5 ? 'by_two' : 'queue')
    await anew(table)
    if (table.from.name === 'queue')
      await f.old(
        `delete from public.queue; insert into public.queue select i * 10 from generate_series(1, 200) i`,
      )
    for (let finished = false; !finished;) {
      const connection = f.m.control.old.fork()
      try {
        const { run } = connection
        if (random() < 0.3) {
          // The transaction that the step is in never comes to its end.
          await connection
            .transaction(async (inside) => {
              await backfillStep(inside, f.m, table, 17)
              throw new Error('killed')
            })
            .catch(() => {})
        } else finished = (await backfillStep(run, f.m, table, 1 + Math.floor(random() * 40))).finished
        if (table.from.name !== 'queue') continue
        // What comes and goes meanwhile is on record by its triggers, which this table has not.
        const nr = Math.floor(random() * 200) * 10
        await run(`insert into public.queue values ($1) on conflict do nothing`, [nr + 3])
        await run(`delete from public.queue where id in ($1, $2)`, [nr, nr + 3 - 20])
      } finally {
        await connection.close()
      }
    }
    const late = table.from.name === 'queue' ? `x.id % 10 = 0` : 'true'
    expect(await missing(table, late)).toBe(0)
  })
})

/** A small generator of numbers from 0 to 1, the same for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed * 2_654_435_761
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 374_761_393) >>> 0
    return state / 2 ** 32
  }
}
