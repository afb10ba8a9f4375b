// Capture is put on and taken off beside running writers, sees what of it is lost, and no application notices it.
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { controlConnection } from '../../../src/control/control-connection.js'
import { captureName, recordTable } from '../../../src/control/names.js'
import { captureCheckSql, captureGaps } from '../../../src/dual-write/capture-state.js'
import { installCapture, removeCapture } from '../../../src/dual-write/capture.js'
import { readMirrored } from '../../../src/dual-write/tables.js'
import type { MirroredTable } from '../../../src/dual-write/tables.js'
import { fixture, one, until } from '../mirror/fixture.js'
import type { Fixture } from '../mirror/fixture.js'

const SCHEMA = `
  create table public.plain (id serial primary key, v int, note text);
  create table public.keyed (id int not null unique, other text not null, primary key (other));
  create table public.named (name text primary key, v int);
  create table public.base (id int primary key);
  create table public.part (id int, day date, primary key (id, day)) partition by range (day);
  create table public.part_a partition of public.part for values from ('2026-01-01') to ('2026-02-01');
  create table public.part_b partition of public.part for values from ('2026-02-01') to ('2026-03-01');
  create table public.spare (id int not null, day date not null, primary key (id, day));
`

let f: Fixture
let app: pg.Client
let record: string

const install = (migration = f.m): ReturnType<typeof installCapture> =>
  installCapture(migration, 'old', performance.now() + 10_000)

beforeAll(async () => {
  f = await fixture({ dualWrite: {}, schema: SCHEMA })
  record = `cutover.${recordTable(f.m.name)}`
  await f.old(`create role app_${f.m.name} login password 'app'; grant usage on schema public to app_${f.m.name};
    grant all on all tables in schema public to app_${f.m.name};
    grant all on all sequences in schema public to app_${f.m.name}`)
  app = await client(`app_${f.m.name}`, 'app')
})
afterEach(async () => void (await app.query('rollback')))
afterAll(async () => {
  await app.end()
  await f.old(`drop owned by app_${f.m.name}; drop role app_${f.m.name}`)
  await f.drop()
})

async function client(user: string, password: string): Promise<pg.Client> {
  const url = new URL(f.urls.old)
  url.username = user
  url.password = password
  const made = new pg.Client(url.href)
  await made.connect()
  return made
}

const tables = async (): Promise<readonly MirroredTable[]> => {
  const runs = { old: f.m.control.old.run, new: f.m.control.new.run }
  return (await readMirrored(f.m, 'old', runs)).tables
}

const gaps = async (): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await captureGaps(f.old, f.m, await tables())).map(({ table, fault }) => [table.from.name, fault]),
  )

const check = async (): Promise<boolean> => one(f.old, captureCheckSql(f.m, await tables()))

/** What is on record, and then forgotten. */
async function taken(): Promise<string[]> {
  const rows = await f.old<{ entry: string }>(
    `with gone as (delete from ${record} returning *)
     select c.relname || ' ' || case when whole then '*' else key end as entry
       from gone join pg_class c on c.oid = tbl order by 1`,
  )
  return rows.map(({ entry }) => entry)
}

const waitsFor = (table: string): string =>
  `exists (select from pg_locks where not granted and relation = 'public.${table}'::regclass)`

const trigger = async (table: string, kind: string): Promise<string> =>
  one(
    f.old,
    `select tgname::text from pg_trigger where tgrelid = $1::regclass and starts_with(tgname, $2) and tgname like $3`,
    [`public.${table}`, captureName(f.m.name), `%\\_${kind}`],
  )

describe('installing', () => {
  it('by three processes at once captures every table, and has the backfill of each begun once', async () => {
    const others = [1, 2].map(() => ({
      ...f.m,
      control: { old: f.m.control.old.fork(), new: f.m.control.new.fork() },
    }))
    const results = await Promise.all([f.m, ...others].map((m) => install(m)))
    await Promise.all(others.flatMap(({ control }) => [control.old.close(), control.new.close()]))
    const all = ['base', 'keyed', 'named', 'part', 'plain', 'spare']
    for (const result of results) expect(result.tables.map(({ from }) => from.name)).toEqual(all)
    expect(new Set(results.flatMap(({ installed }) => installed.map(({ from }) => from.name)))).toEqual(
      new Set(all),
    )
    expect(await gaps()).toEqual({})
    expect(await check()).toBe(true)
    expect(await taken()).toEqual([])
    expect(await one(f.old, `select count(*)::int from cutover.backfill where last_key is null`)).toBe(
      all.length,
    )
  })

  it('again touches nothing, though writers hold every table', async () => {
    await app.query(`begin; lock table plain, keyed, named, base, part, spare in row exclusive mode`)
    const state = `select md5(string_agg(t::text, ' ' order by t.oid)) from pg_trigger t`
    const before = await one(f.old, state)
    expect((await install()).installed).toEqual([])
    expect(await one(f.old, state)).toBe(before)
  })

  it('on the side that is mirrored to begins no backfill', async () => {
    await installCapture(f.m, 'new', performance.now() + 10_000)
    expect(await one(f.new, `select count(*)::int from cutover.backfill`)).toBe(0)
    expect(await captureGaps(f.new, f.m, [])).toEqual([])
  })

  it('waits for a long transaction in turns between which others write', async () => {
    await f.both(`create table public.busy (id int primary key); grant all on public.busy to public`)
    await app.query('begin; insert into busy values (1)')
    const other = await client(`app_${f.m.name}`, 'app')
    const installing = install()
    let done = false
    void installing.then(() => (done = true))
    const watch = f.m.control.old.fork()
    for (const id of [2, 3]) {
      await until(watch.run, waitsFor('busy'))
      await other.query('insert into busy values ($1)', [id])
    }
    expect(done).toBe(false)
    await app.query('commit')
    expect((await installing).installed.map(({ from }) => from.name)).toEqual(['busy'])
    await watch.close()
    await other.end()
    await app.query('insert into busy values (4)')
    expect(await taken()).toEqual(['busy 4'])
  })

  it('is refused while the side is fenced', async () => {
    await f.both('create table public.late (id int primary key)')
    await f.old(`update cutover.side set status = 'fenced', epoch = 1 where name = $1`, [f.m.name])
    await expect(install()).rejects.toMatchObject({ code: 'ERR_RIVAL' })
    await f.old(`update cutover.side set status = 'writer', epoch = 0 where name = $1`, [f.m.name])
    expect((await install()).installed.map(({ from }) => from.name)).toEqual(['late'])
  })
})

describe('the application', () => {
  it('may not touch the record, and has its writes on it', async () => {
    await expect(app.query(`delete from ${record}`)).rejects.toMatchObject({ code: '42501' })
    await app.query(`insert into named values ('a', 1)`)
    expect(await taken()).toEqual(['named a'])
  })

  it('sees nothing of it: counts, rows returned, FOUND, lastval, notices, transactions that write nothing', async () => {
    const notices: unknown[] = []
    app.on('notice', (notice) => notices.push(notice.message))
    const inserted = await app.query<{ id: number }>(`insert into plain (v) values (1), (2) returning id`)
    expect(inserted.rowCount).toBe(2)
    expect((await app.query('select lastval()::int as id')).rows).toEqual([inserted.rows[1]])
    expect((await app.query('update plain set v = 3 where v > 0')).rowCount).toBe(2)
    await app.query(`do $$ begin update plain set v = 1 where v = 3; if not found then raise exception 'lost'; end if;
      update plain set v = 1 where v = 99; if found then raise exception 'found'; end if; end $$`)
    await app.query('begin; update plain set v = 1 where v = 99')
    expect((await app.query('select pg_current_xact_id_if_assigned() as xid')).rows).toEqual([{ xid: null }])
    await app.query('rollback')
    expect((await app.query('delete from plain')).rowCount).toBe(2)
    expect(notices).toEqual([])
    await taken()
  })

  it('has an error of its own as it was', async () => {
    const text = `insert into plain (id, v) values (1, 1), (1, 1)`
    const caught = await app.query(text).catch((error: unknown) => error)
    expect(caught).toMatchObject({ code: '23505', table: 'plain', where: undefined })
    expect(await taken()).toEqual([])
  })

  it('may have a key as long as its index takes, and longer than ours would', async () => {
    const name = 'x'.repeat(200_000)
    await app.query(`insert into named values ($1, 1)`, [name])
    await app.query(`update named set v = 2 where name = $1`, [name])
    expect(await taken()).toEqual([`named ${name}`, `named ${name}`])
  })

  it('is on record also with the role of the relay, but for what that mirrors', async () => {
    const role = `app_${f.m.name}`
    const set = (status: string, relay: string | null): Promise<unknown> =>
      f.old(`update cutover.side set status = $1, relay_role = $2 where name = $3`, [status, relay, f.m.name])
    await set('mirror', role)
    expect(await gaps()).toMatchObject({ plain: 'not current', part: 'not current' })
    await install()
    const change = `insert into plain values (7); update plain set id = 8 where id = 7; insert into part values (1, '2026-01-05');
      update part set id = 2; delete from plain; truncate part`
    await app.query(change)
    expect(await taken()).toEqual([])
    await f.old('insert into public.plain values (9)')
    expect(await taken()).toEqual(['plain 9'])
    await set('writer', role)
    await app.query(change)
    const part = ['part *', 'part *', 'part {1,2026-01-05}', 'part {1,2026-01-05}', 'part {2,2026-01-05}']
    expect(await taken()).toEqual([...part, 'plain 7', 'plain 7', 'plain 8', 'plain 8', 'plain 9'])
    await set('writer', null)
    await install()
    // Nothing was lost on the way.
    expect(await taken()).toEqual([])
  })
})

describe('what is lost', () => {
  /** How it is lost, what is then said of which table, and what is on record once it is made good. */
  const LOSSES: [what: string, how: () => Promise<string>, said: Record<string, string>, again: string[]][] =
    [
      [
        'a trigger is dropped',
        async () => `drop trigger ${await trigger('plain', 'upd')} on public.plain`,
        { plain: 'trigger missing' },
        ['plain *'],
      ],
      [
        'all are disabled',
        async () => `alter table public.plain disable trigger all`,
        { plain: 'trigger disabled' },
        ['plain *'],
      ],
      [
        'one is for replicas only',
        async () => `alter table public.plain enable replica trigger ${await trigger('plain', 'ins')}`,
        { plain: 'trigger disabled' },
        ['plain *'],
      ],
      [
        'one is disabled on a partition',
        async () => `alter table public.part_b disable trigger ${await trigger('part_b', 'del')}`,
        { part: 'trigger disabled' },
        ['part *'],
      ],
      [
        'a function is dropped with its triggers',
        async () =>
          `drop function cutover.${captureName(f.m.name)}_${await one<string>(f.old, `'public.plain'::regclass::oid`)}_old() cascade`,
        { plain: 'trigger missing' },
        ['plain *'],
      ],
      [
        'a table was truncated without the trigger for that',
        async () => `drop trigger ${await trigger('base', 'tru')} on public.base; truncate public.base`,
        { base: 'trigger missing' },
        ['base *'],
      ],
    ]

  it.each(LOSSES)('%s: it is said, and the table brought over anew', async (_, how, said, again) => {
    await f.old(await how())
    expect(await gaps()).toEqual(said)
    expect(await check()).toBe(false)
    expect((await install()).installed).toEqual([])
    expect(await gaps()).toEqual({})
    expect(await check()).toBe(true)
    expect(await taken()).toEqual(again)
  })

  it('all of it is dropped: the table is brought over anew, without the rows that have gone meanwhile', async () => {
    const oid = await one<string>(f.old, `'public.plain'::regclass::oid`)
    const functions = ['new', 'old', 'row', 'tru'].map(
      (kind) => `cutover.${captureName(f.m.name)}_${oid}_${kind}`,
    )
    await f.old(`drop function ${functions.join(', ')} cascade`)
    expect(await gaps()).toEqual({ plain: 'not captured' })
    await install()
    expect(await gaps()).toEqual({})
    expect(await taken()).toEqual(['plain *'])
  })

  it('a partition made since has its TRUNCATE unseen until the next install, and nothing else', async () => {
    await f.both(
      `create table public.part_c partition of public.part for values from ('2026-03-01') to ('2026-04-01')`,
    )
    await f.old(`insert into public.part values (1, '2026-03-01')`)
    expect(await check()).toBe(false)
    await install()
    // Not truncated so far, so nothing of it has to be brought over again.
    expect(await taken()).toEqual(['part {1,2026-03-01}'])
    await f.old('truncate public.part_c')
    expect(await taken()).toEqual(['part *'])
    expect(await check()).toBe(true)
  })

  it('a table that becomes a partition, and one that was one, speak for themselves no longer', async () => {
    await f.old(`alter table public.part attach partition public.spare for values from ('2026-05-01') to ('2026-06-01');
      alter table public.part detach partition public.part_b`)
    await f.new(`alter table public.part attach partition public.spare for values from ('2026-05-01') to ('2026-06-01');
      alter table public.part detach partition public.part_b`)
    expect(await gaps()).toEqual({ part: 'trigger missing', part_b: 'not captured' })
    await f.old('truncate public.part_b')
    expect((await install()).installed.map(({ from }) => from.name)).toEqual(['part_b'])
    await f.old(`insert into public.part values (3, '2026-05-05'); insert into public.part_b values (4, '2026-05-05');
      truncate public.spare; truncate public.part_b`)
    expect(await taken()).toEqual(['part *', 'part {3,2026-05-05}', 'part_b *', 'part_b {4,2026-05-05}'])
    expect(await gaps()).toEqual({})
  })

  it('a table that gets a child is captured by its rows from the next install on', async () => {
    await f.both('create table public.derived (primary key (id)) inherits (public.base)')
    expect(await gaps()).toEqual({ base: 'not current', derived: 'not captured' })
    await install()
    expect(await taken()).toEqual([])
    await f.old('insert into public.derived values (5); update public.base set id = 6 where id = 5')
    expect(await taken()).toEqual(['derived 5', 'derived 5', 'derived 6'])
  })

  it('another key: what is on record by the old one goes with it, and the table is brought over anew', async () => {
    await f.old(`insert into public.keyed values (1, 'one')`)
    await f.both('alter table public.keyed drop constraint keyed_pkey, add primary key (id)')
    expect(await gaps()).toEqual({ keyed: 'another key' })
    // Still by the old key, and not on record yet when the install begins.
    await app.query(`begin; insert into keyed values (2, 'two')`)
    const watch = f.m.control.old.fork()
    const installing = install()
    await until(watch.run, waitsFor('keyed'))
    await app.query('commit')
    await installing
    await watch.close()
    expect(await gaps()).toEqual({})
    expect(await taken()).toEqual(['keyed *'])
    await f.old(`update public.keyed set id = 3, other = 'three' where id = 2`)
    expect(await taken()).toEqual(['keyed 2', 'keyed 3'])
  })

  it('the type of a key can be changed only without it', async () => {
    await expect(f.old('alter table public.keyed alter column id type bigint')).rejects.toMatchObject({
      code: '0A000',
    })
  })
})

it('is not put on by a role whose functions could not write to the record', async () => {
  const role = `app_${f.m.name}`
  await f.both('create table public.lent (id int primary key)')
  await f.old(`alter table public.lent owner to ${role}; grant usage, create on schema cutover to ${role};
    grant select on all tables in schema cutover to ${role};
    grant insert, update on cutover.side, cutover.backfill to ${role}`)
  const url = new URL(f.urls.old)
  url.username = role
  url.password = 'app'
  const old = controlConnection({ side: 'old', config: { connectionString: url.href } })
  const m = { ...f.m, tables: ['public.lent'], control: { ...f.m.control, old } }
  await expect(install(m)).rejects.toThrow(/app_.* may not insert into cutover\./)
  await old.close()
  await app.query('insert into public.lent values (1)')
  await f.old(
    `revoke all on all tables in schema cutover from ${role}; revoke all on schema cutover from ${role}`,
  )
  await f.both('drop table public.lent')
})

describe('removing', () => {
  it('leaves nothing, also of a table that is gone, and is no error when nothing is there', async () => {
    await f.old('drop table public.named')
    await f.old(`insert into cutover.relay values ($1, 'nobody', 1, 0, now(), null)`, [f.m.name])
    await f.old(
      `insert into cutover.stuck (name, tbl, table_name, sqlstate, message) values ($1, 1, 'x', 'x', 'x')`,
      [f.m.name],
    )
    for (const side of ['old', 'new', 'old'] as const) {
      await removeCapture(f.m, side)
      const left = await f[side]<Record<string, unknown>>(
        `select proname::text as name from pg_proc where starts_with(proname, $1)
         union all select tgname from pg_trigger where starts_with(tgname, $1)
         union all select relname from pg_class where relname = $2
         union all select 'backfill' from cutover.backfill union all select 'stuck' from cutover.stuck
         union all select 'relay' from cutover.relay`,
        [captureName(f.m.name), recordTable(f.m.name)],
      )
      expect(left).toEqual([])
    }
    await app.query('insert into plain (v) values (1)')
    expect(await gaps()).toMatchObject({ plain: 'not captured' })
    expect(await check()).toBe(false)
  })

  it('is left to a mirror that has begun again, by who comes too late', async () => {
    await install()
    await f.old(`update cutover.side set phase = 'mirror' where name = $1`, [f.m.name])
    try {
      await expect(removeCapture(f.m, 'old')).rejects.toThrow(/taking capture off/)
      expect(await check()).toBe(true)
    } finally {
      await f.old(`update cutover.side set phase = 'old' where name = $1`, [f.m.name])
    }
  })

  it('spares another migration whose name begins alike', async () => {
    const oid = await one<string>(f.old, `'public.plain'::regclass::oid::text`)
    const other = { ...f.m, name: `${f.m.name}_${oid}` }
    await f.both(`insert into cutover.side (name, identity, epoch, status, opened)
      select '${other.name}', identity, epoch, status, opened from cutover.side where name = '${f.m.name}'`)
    await install(other)
    await install()
    expect(await check()).toBe(true)
    await removeCapture(f.m, 'old')
    expect(await captureGaps(f.old, other, await tables())).toEqual([])
  })

  it('is no error where nothing was ever prepared', async () => {
    await f.old('drop schema cutover cascade')
    await removeCapture(f.m, 'old')
  })
})
