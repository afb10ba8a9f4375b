// Every kind of change, of table and of key is put on record, by exactly the keys that it has touched, on both versions.
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { recordTable } from '../../../src/control/names.js'
import { installCapture } from '../../../src/dual-write/capture.js'
import { fixture } from '../mirror/fixture.js'
import type { Fixture } from '../mirror/fixture.js'

/** A type, a value of it, and how the record names the row, whatever the session that wrote it has set. */
const TYPES = [
  ['char(5)', `'ab'`, 'ab'],
  ['varchar(5)', `'a b'`, 'a b'],
  ['"char"', `'x'`, 'x'],
  ['citext', `'Ab'`, 'Ab'],
  ['text collate public.nowhere', `'é'`, 'é'],
  ['public.mood', `'very sad'`, 'very sad'],
  ['public.code', `'c'`, 'c'],
  ['public.moment', `'2020-02-01 00:00Z'`, '2020-02-01 00:00:00+00'],
  ['uuid', `'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'`, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  ['bytea', String.raw`'\xdeadbeef'`, String.raw`\xdeadbeef`],
  ['numeric', '1.00', '1.00'],
  ['bool', 'true', 'true'],
  ['timestamptz', `'2020-02-01 00:00Z'`, '2020-02-01 00:00:00+00'],
  ['timestamp', `'2020-02-01 10:00'`, '2020-02-01 10:00:00'],
  ['date', `date '2020-02-01'`, '2020-02-01'],
  ['timetz', `'10:00+02'`, '10:00:00+02'],
  ['interval', `'1 year -2 days 3 hours'`, '1 year -2 days +03:00:00'],
  ['float8', '0.1::float8 + 0.2::float8', '0.30000000000000004'],
  ['float4', '1::float4 / 3', '0.33333334'],
  ['money', '12.50', '$12.50'],
  ['inet', `'10.0.0.1'`, '10.0.0.1/32'],
  ['int[]', `'{1,2}'`, '{1,2}'],
  ['timestamptz[]', `array['2020-02-01 00:00Z'::timestamptz]`, '{"2020-02-01 00:00:00+00"}'],
  ['tstzrange', `tstzrange('2020-02-01 00:00Z', null)`, '["2020-02-01 00:00:00+00",)'],
  ['public.pair', `row(1, '2020-02-01'::date)::public.pair`, '(1,2020-02-01)'],
  ['jsonb', `'{"a": 1.0}'`, '{"a": 1.0}'],
] as const

/** As an application might have it, and none of it as the record needs it. */
const ODD_SESSION = `set datestyle = 'SQL, DMY'; set timezone = 'Asia/Tokyo'; set intervalstyle = 'sql_standard';
  set extra_float_digits = '-10'; set bytea_output = 'escape'; set search_path = public; set lc_monetary = 'POSIX'`

const SCHEMA = `
  create extension citext;
  create type public.mood as enum ('very sad', 'glad');
  create domain public.code as text;
  create domain public.moment as timestamptz;
  create type public.pair as (a int, b date);
  create collation public.nowhere (provider = icu, locale = 'und', deterministic = false);
  ${TYPES.map(([type], nr) => `create table public.type_${nr} (v int, k ${type} primary key);`).join('\n')}
  create table public.plain (id int primary key, v int not null default 0, note text);
  create table public.child (id int primary key, parent int references public.plain on delete cascade on update cascade);
  create table public.money_of (amount numeric primary key);
  create table public.always (id int generated always as identity primary key, v int);
  create table public.made (a int primary key, b int generated always as (a * 2) stored);
  create table public."Odd ""Table""" ("key" int, "xid" text, "n" text, "o" text, "old" text, "new" text, "tbl" text,
    "a\\b 'c' ""d""" text, primary key ("key", "xid", "n", "o", "old", "new", "tbl", "a\\b 'c' ""d"""));
  create table public.four (a int, b text, c uuid, d timestamptz, v int, primary key (a, b, c, d));
  create table public.two (a int, b uuid, primary key (a, b));
  create table public.part (note text, id int, day date, primary key (id, day)) partition by range (day);
  create table public.part_a partition of public.part for values from ('2026-01-01') to ('2026-02-01');
  -- The columns in another order, and one that was dropped.
  create table public.part_b (gone int, day date not null, id int not null, note text);
  alter table public.part_b drop column gone;
  alter table public.part attach partition public.part_b for values from ('2026-02-01') to ('2026-03-01');
  create table public.part_c partition of public.part for values from ('2026-03-01') to ('2026-05-01') partition by range (day);
  create table public.part_c1 partition of public.part_c for values from ('2026-03-01') to ('2026-04-01');
  create table public.base (id int primary key, v int);
  create table public.derived (extra int, primary key (id)) inherits (public.base);
  create table public.shifted (id int primary key, v int);
  create function public.shift() returns trigger language plpgsql as $$ begin new.id := new.id + 100; return new; end $$;
  create trigger shift before insert or update on public.shifted for each row execute function public.shift();
  create table public.noisy (id int primary key);
  create function public.echo() returns trigger language plpgsql as
    $$ begin insert into public.plain (id) values (new.id + 1000); return null; end $$;
  create trigger echo after insert on public.noisy for each row execute function public.echo();
  create function public.pay(int) returns int language sql as 'update public.plain set v = v - 1 where id = $1 returning v';
  create view public.seen as select * from public.plain;
`

/** What is there before each statement of CHANGES, and is not looked at. */
const ROWS = `
  insert into plain values (1, 0), (2, 0), (3, 0);
  insert into child values (11, 1), (12, 1), (13, 2);
  insert into money_of values (1.0);
  insert into part values ('', 1, '2026-01-01'), ('', 2, '2026-02-01'), ('', 3, '2026-03-01');
  insert into base values (1, 0); insert into derived values (2, 0);
`

/** What is done, and what is on record afterwards: each entry once for each time that it is there. */
const CHANGES = [
  ['INSERT', `insert into plain values (4), (5)`, ['plain 4', 'plain 5']],
  ['UPDATE', `update plain set v = 1 where id > 1`, ['plain 2', 'plain 3']],
  ['UPDATE of nothing', `update plain set v = 1 where id > 99`, []],
  ['UPDATE of the key', `update plain set id = id + 10 where id = 3`, ['plain 13', 'plain 3']],
  [
    'a change of keys round',
    `update plain set id = case id when 2 then 30 when 3 then 20 end where id in (2, 3)`,
    ['child 13', 'plain 2', 'plain 20', 'plain 3', 'plain 30'],
  ],
  [
    'UPDATE of the key to an equal one',
    `update money_of set amount = 1.00`,
    ['money_of 1.0', 'money_of 1.00'],
  ],
  ['DELETE', `delete from plain where id = 3`, ['plain 3']],
  ['DELETE that cascades', `delete from plain where id = 1`, ['child 11', 'child 12', 'plain 1']],
  ['UPDATE that cascades', `update plain set id = 21 where id = 2`, ['child 13', 'plain 2', 'plain 21']],
  [
    'upsert',
    `insert into plain values (3, 1), (4, 1) on conflict (id) do update set v = 9`,
    ['plain 3', 'plain 4'],
  ],
  ['upsert of nothing', `insert into plain values (3) on conflict do nothing`, []],
  [
    'MERGE',
    `merge into plain p using (values (1), (3), (7)) s(id) on p.id = s.id when matched and s.id = 1 then update set v = 1
       when matched then delete when not matched then insert values (s.id, 0)`,
    ['plain 1', 'plain 3', 'plain 7'],
  ],
  [
    'a writable CTE',
    `with gone as (delete from child where id = 13 returning id), new as (insert into plain values (8) returning id)
       update plain set v = 2 where id = 3`,
    ['child 13', 'plain 3', 'plain 8'],
  ],
  ['COPY', `copy plain (id) from program 'echo 6'`, ['plain 6']],
  ['a function', `select pay(2)`, ['plain 2']],
  ['a view', `update seen set v = 3 where id = 2`, ['plain 2']],
  ['what a savepoint has undone', `savepoint s; update plain set v = 1; rollback to s; release s`, []],
  ['a trigger that moves the key', `insert into shifted values (1)`, ['shifted 101']],
  ['a trigger that writes elsewhere', `insert into noisy values (1)`, ['noisy 1', 'plain 1001']],
  ['TRUNCATE', `truncate plain, child`, ['child *', 'plain *']],
  [
    'GENERATED ALWAYS AS IDENTITY',
    `insert into always (v) values (1)`,
    [expect.stringMatching(/^always \d+$/)],
  ],
  ['a generated column', `insert into made values (4)`, ['made 4']],
  [
    'columns of any name',
    `insert into "Odd ""Table""" values (1, 'x,', 'n"', 'o\\', 'old', '', '{}', 'NULL')`,
    [String.raw`Odd "Table" {1,"x,","n\"","o\\",old,"","{}","NULL"}`],
  ],
  [
    'a key of four columns',
    `insert into four values (1, 'b', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '2020-02-01 00:00Z')`,
    ['four {1,b,a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,"2020-02-01 00:00:00+00"}'],
  ],
  [
    'a change of the second of two columns',
    `insert into two values (1, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11');
     update two set b = 'b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'; update two set a = a`,
    [
      'two {1,a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}',
      'two {1,a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}',
      'two {1,b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}',
      'two {1,b0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}',
    ],
  ],
  ['INSERT through a root', `insert into part values ('', 9, '2026-03-09')`, ['part {9,2026-03-09}']],
  ['INSERT into a partition', `insert into part_b values ('2026-02-09', 9)`, ['part {9,2026-02-09}']],
  ['UPDATE in a partition', `update part set note = 'x' where id = 2`, ['part {2,2026-02-01}']],
  [
    'UPDATE of a key in its partition',
    `update part set id = 7 where id = 2`,
    ['part {2,2026-02-01}', 'part {7,2026-02-01}'],
  ],
  [
    'UPDATE that moves a row',
    `update part set day = '2026-03-02' where id = 2`,
    ['part {2,2026-02-01}', 'part {2,2026-03-02}'],
  ],
  [
    'MERGE that moves a row',
    `merge into part p using (values (1)) s(id) on p.id = s.id when matched then update set day = '2026-02-02'`,
    ['part {1,2026-01-01}', 'part {1,2026-02-02}'],
  ],
  ['DELETE from a partition', `delete from part_c where id = 3`, ['part {3,2026-03-01}']],
  [
    'COPY into a root',
    `copy part (id, day) from program 'printf "5\\t2026-01-05\\n"'`,
    ['part {5,2026-01-05}'],
  ],
  ['TRUNCATE of a root', `truncate part`, ['part *', 'part *', 'part *']],
  ['TRUNCATE of one partition', `truncate part_c1`, ['part *']],
  ['UPDATE through a parent', `update base set v = 1`, ['base 1', 'derived 2']],
  ['UPDATE of a key through a parent', `update base set id = 5 where id = 2`, ['derived 2', 'derived 5']],
  ['DELETE from the parent only', `delete from only base`, ['base 1']],
  ['INSERT into a child', `insert into derived values (3, 0)`, ['derived 3']],
  ['TRUNCATE of a parent', `truncate base`, ['base *', 'derived *']],
  ['TRUNCATE of the parent only', `truncate only base`, ['base *']],
] as const

let f: Fixture

beforeAll(async () => {
  f = await fixture({ dualWrite: {}, schema: SCHEMA })
  for (const side of ['old', 'new'] as const) await installCapture(f.m, side, performance.now() + 10_000)
})
afterAll(() => f.drop())

describe.each(['old', 'new'] as const)('on the %s side', (side) => {
  let app: pg.Client
  beforeAll(async () => {
    app = new pg.Client(f.urls[side])
    await app.connect()
    await app.query(ODD_SESSION)
  })
  afterEach(async () => void (await app.query('rollback')))
  afterAll(() => app.end())

  const onRecord = async (): Promise<unknown[]> => {
    const { rows } = await app.query<{ entry: string }>(
      `select c.relname || ' ' || case when whole then '*' else key end as entry
         from cutover.${recordTable(f.m.name)} join pg_class c on c.oid = tbl order by 1`,
    )
    return rows.map(({ entry }) => entry)
  }

  it.each(CHANGES)('%s', async (_, change, expected) => {
    await app.query(`begin; ${ROWS} delete from cutover.${recordTable(f.m.name)}`)
    await app.query(change)
    expect(await onRecord()).toEqual(expected)
  })

  it.each(TYPES.map(([type, value, key], nr) => ({ type, value, key, table: `type_${nr}` })))(
    'a key of type $type, whatever the session has set',
    async ({ type, value, key, table }) => {
      await app.query(`begin; delete from cutover.${recordTable(f.m.name)}`)
      await app.query(
        `insert into ${table} values (1, ${value}); update ${table} set v = 2; delete from ${table}`,
      )
      const three = `${table} ${key}`
      expect(await onRecord()).toEqual([three, three, three])
      // As a relay reads it, it is the same value.
      const plain = type.replace(/ collate.*|\(5\)/, '')
      const [same] = await f[side](
        `select key_text::${plain} = (${value})::${plain} as ok from (values ($1::text)) z(key_text)`.replaceAll(
          / (mood|code)/g,
          ' public.$1',
        ),
        [key],
      ).catch(() => [{ ok: 'error' }])
      expect(same).toEqual({ ok: true })
    },
  )

  it('a change of the key that does not show in the session that makes it', async () => {
    const float = `type_${TYPES.findIndex(([type]) => type === 'float8')}`
    await app.query(
      `begin; insert into ${float} values (1, 0.1); delete from cutover.${recordTable(f.m.name)}`,
    )
    await app.query(`update ${float} set k = 0.10000000000000002`)
    expect(await onRecord()).toEqual([`${float} 0.1`, `${float} 0.10000000000000002`])
  })

  it('a prepared transaction, from its end on', async () => {
    const id = `${f.m.name}_${side}`
    const name = recordTable(f.m.name)
    await app.query(
      `delete from cutover.${name}; begin; insert into plain values (77); prepare transaction '${id}'`,
    )
    expect(await onRecord()).toEqual([])
    await app.query(`commit prepared '${id}'`)
    expect(await onRecord()).toEqual(['plain 77'])
    await app.query(`delete from plain; delete from cutover.${name}`)
  })

  it('nothing of what a replica writes, which is how the relay comes', async () => {
    await app.query(`begin; ${ROWS} delete from cutover.${recordTable(f.m.name)};
      set local session_replication_role = replica; update plain set id = id + 50; update part set id = 9; truncate derived`)
    expect(await onRecord()).toEqual([])
  })
})
