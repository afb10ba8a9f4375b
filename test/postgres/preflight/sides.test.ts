// What preflight says of two sides that differ in what the application finds there: rights, triggers, indexes, policies, views, jobs.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Migration } from '../../../src/control/migration.js'
import { preflight } from '../../../src/coordinator/preflight.js'
import type { Finding } from '../../../src/coordinator/preflight.js'
import { ACTIVITY_CHECKS } from '../../../src/coordinator/preflight/activity-checks.js'
import type { Context } from '../../../src/coordinator/preflight/check.js'
import { readFacts } from '../../../src/coordinator/preflight/facts.js'
import type { SideFacts, TransactionFacts } from '../../../src/coordinator/preflight/facts.js'
import { gather } from '../../../src/coordinator/preflight/gather.js'
import { fixture } from '../mirror/fixture.js'
import type { Fixture } from '../mirror/fixture.js'
import { plant, titled, type Planted } from './planted.js'

/** In all texts `$db` stands for the database's name, which roles have in theirs. */
interface Case extends Planted {
  readonly object: string
  /** Error where it is one; else a warning. */
  readonly error?: true
  /** Part of the message, and of the fix. */
  readonly says?: string
  readonly fix?: string
}

// All of them in the same two databases and found by one look, so that none may hide another.
const CASES: readonly Case[] = [
  {
    code: 'trigger-differs',
    both: `create function public.stamp() returns trigger language plpgsql as 'begin return new; end';
      create table public.stamped (id int primary key)`,
    old: `create trigger stamp before insert on public.stamped for each row execute function public.stamp();
      alter table public.stamped disable trigger stamp`,
    object: 'stamp on public.stamped',
    says: 'is on the old side only',
    fix: `CREATE TRIGGER stamp BEFORE INSERT on "public"."stamped" FOR EACH ROW EXECUTE FUNCTION public.stamp(); alter table "public"."stamped" disable trigger "stamp"`,
  },
  {
    code: 'trigger-differs',
    title: 'by how it is enabled',
    both: `create table public.marked (id int primary key);
      create trigger mark before insert on public.marked for each row execute function public.stamp()`,
    new: `alter table public.marked disable trigger mark`,
    object: 'mark on public.marked',
    says: ', disabled on the new one',
  },
  {
    code: 'rule-differs',
    both: `create table public.ruled (id int primary key)`,
    old: `create rule deaf as on delete to public.ruled do instead nothing`,
    object: 'deaf on public.ruled',
    fix: `select pg_get_ruledef(oid) from pg_rewrite where rulename = 'deaf'`,
  },
  {
    code: 'index-missing',
    both: `create table public."Found" (id int primary key, note text)`,
    old: `create index on public."Found" (lower(note)) where id > 1`,
    object: 'public.Found',
    fix: `create index concurrently on "public"."Found" using btree (lower(note)) WHERE (id > 1)`,
  },
  {
    code: 'constraint-missing',
    both: `create table public.sized (id int primary key, size int)`,
    old: `alter table public.sized add check (size > 0)`,
    object: 'public.sized',
    fix: `alter table "public"."sized" add CHECK ((size > 0)) not valid`,
  },
  {
    code: 'foreign-key-differs',
    both: `create table public.part (id int primary key, ruled int)`,
    old: `alter table public.part add constraint of_ruled foreign key (ruled) references public.ruled (id) on delete cascade`,
    object: 'of_ruled on public.part',
    fix: `alter table "public"."part" add constraint "of_ruled" FOREIGN KEY (ruled) REFERENCES "public"."ruled"(id) ON DELETE CASCADE not valid`,
  },
  {
    code: 'row-security-off',
    both: `create table public.tenant (id int primary key)`,
    old: `alter table public.tenant enable row level security`,
    object: 'public.tenant',
    error: true,
    fix: `alter table "public"."tenant" enable row level security`,
  },
  {
    code: 'policy-differs',
    both: `create table public.guarded (id int primary key); alter table public.guarded enable row level security`,
    old: `create policy own on public.guarded for select using (id > 1)`,
    new: `create policy own on public.guarded for select using (true)`,
    object: 'own on public.guarded',
    fix: `drop policy "own" on "public"."guarded"; create policy "own" on "public"."guarded" as permissive for select to public using ((id > 1))`,
  },
  {
    code: 'policy-differs',
    title: 'where one side alone has them',
    both: `create table public.hidden (id int primary key)`,
    new: `alter table public.hidden enable row level security`,
    object: 'public.hidden',
    says: 'on the new side only',
  },
  {
    code: 'materialized-view',
    old: `create materialized view public.seen as select 1 as one; create materialized view public.lost as select 1 as one`,
    new: `create materialized view public.seen as select 1 as one with no data`,
    object: 'public.lost, public.seen',
    says: 'missing on the new side: public.lost; never refreshed there: public.seen',
    fix: `refresh materialized view "public"."lost"; refresh materialized view "public"."seen"`,
  },
  {
    code: 'view-missing',
    old: `create view public.shown as select 1 as one`,
    object: 'public.shown',
    fix: `pg_dump --schema-only --table '"public"."shown"'`,
  },
  {
    code: 'routine-missing',
    old: `create function public.twice(n int) returns int language sql as 'select 2 * n'`,
    object: 'public.twice(n integer)',
  },
  {
    code: 'routine-differs',
    old: `create function public.thrice(n int) returns int language sql as 'select 3 * n'`,
    new: `create function public.thrice(n int) returns int language sql as 'select 4 * n'`,
    object: 'public.thrice(n integer)',
  },
  {
    code: 'extension-version',
    old: `create extension hstore`,
    new: `create extension hstore version '1.4'`,
    object: 'hstore',
    fix: `alter extension "hstore" update`,
  },
  {
    code: 'foreign-server',
    old: `create foreign data wrapper nothing; create server far foreign data wrapper nothing options (password 'geheim')`,
    object: 'far',
    fix: `create server "far" foreign data wrapper "nothing"`,
  },
  {
    code: 'foreign-publication',
    title: 'for all tables',
    old: `create publication everything for all tables`,
    object: 'everything',
    says: 'all tables, those of the schema cutover too',
  },
  {
    code: 'scheduled-job',
    both: `create schema cron; create table cron.job (jobid int primary key, jobname text, schedule text, active bool, database text)`,
    old: `insert into cron.job values (1, 'tidy', '5 * * * *', true, '$db'), (2, 'off', '5 * * * *', false, '$db'), (3, 'other', '', true, 'x')`,
    object: 'tidy (pg_cron, 5 * * * *)',
  },
  {
    code: 'start-setting',
    old: `alter role app_$db in database $db set search_path = shop, public; alter database $db set app.secret = 'geheim'`,
    object: 'search_path of role "other_$db"',
    fix: `alter role "other_$db" set search_path = shop, public`,
  },
  {
    code: 'grant-missing',
    both: `create role reader_$db; create table public.told (id int primary key)`,
    old: `grant select, insert on public.told to reader_$db; grant select on public.sized to reader_$db`,
    new: `grant select on public.told to reader_$db`,
    object: 'reader_$db',
    says: 'select on public.sized, insert on public.told',
    fix: `grant select on "public"."sized" to "reader_$db"; grant insert on "public"."told" to "reader_$db"`,
  },
  {
    code: 'grant-missing',
    title: 'of a role that is not there',
    old: `create role gone_$db; grant select on public.told to gone_$db`,
    object: 'gone_$db',
    fix: `create role "gone_$db"; grant select on "public"."told" to "gone_$db"`,
  },
]

/** It has a test of its own. */
const ALSO = ['pool-rights']

const seen = ({ code, severity, object }: Finding) => ({ code, severity, object })

describe('of two sides that differ', () => {
  let f: Fixture
  let m: Migration
  let found: readonly Finding[]
  const named = (text: string): string => text.replaceAll('$db', f.m.name)

  beforeAll(async () => {
    f = await fixture({ prepared: false })
    await f.old(named(`create role app_$db`))
    await f.new(named(`create role other_$db`))
    m = { ...f.m, poolRoles: { old: named('app_$db'), new: named('other_$db') } }
    for (const row of CASES) await plant(f, row, named)
    await f.old(
      named(`grant select, insert on public.part, public.told to app_$db; grant select on public.sized to app_$db;
      create sequence public.counted; grant usage on sequence public.counted to app_$db`),
    )
    await f.new(named(`create sequence public.counted; grant insert on public.part to other_$db`))
    found = await preflight(m, 'old', 'mirror')
  })
  afterAll(async () => {
    await f.old(`drop publication everything`)
    await f.both(
      named(`reassign owned by reader_$db to postgres; drop owned by reader_$db; drop role reader_$db`),
    )
    await f.old(named(`drop owned by gone_$db; drop role gone_$db; drop owned by app_$db; drop role app_$db`))
    await f.new(named(`drop owned by other_$db; drop role other_$db`))
    await f.drop()
  })

  it.each(titled(CASES))('finds %s', (_, row) => {
    const expected = {
      code: row.code,
      severity: row.error ? 'error' : 'warning',
      object: named(row.object),
    }
    expect(found.map(seen)).toContainEqual(expected)
    const one = found.find((finding) => finding.code === row.code && finding.object === named(row.object))
    expect(one?.message).toContain(named(row.says ?? ''))
    expect(one?.fix).toContain(named(row.fix ?? ''))
  })

  it('finds nothing else, and says what is wrong, why it matters and what repairs it', () => {
    const expected = new Set([...CASES.map(({ code }) => code), ...ALSO])
    expect(found.map(({ code }) => code).filter((code) => !expected.has(code))).toEqual([])
    for (const { message, why, fix } of found) {
      expect(message.length).toBeGreaterThan(20)
      expect(why).toMatch(/^[A-Z].{20,}\.$/)
      expect(fix).not.toBe('')
    }
    expect(JSON.stringify(found)).not.toContain('geheim')
  })

  it('names the rights that the pool lacks, and refuses over tables that it is shut out of', async () => {
    const sql = [
      `grant insert, select on "public"."told" to "other_$db"`,
      `grant select on "public"."part" to "other_$db"`,
      `grant usage on sequence public.counted to "other_$db"`,
    ].map(named)
    const rights = found.filter(({ code }) => code.startsWith('pool'))
    expect(rights.map(seen)).toEqual([
      { code: 'pool-rights', severity: 'warning', object: expect.any(String) },
    ])
    for (const statement of sql) expect(rights[0]?.fix).toContain(statement)
    const before = (await preflight(m, 'old', 'cutover')).filter(({ code }) => code.startsWith('pool'))
    expect(before.map(seen)).toEqual([
      { code: 'pool-shut-out', severity: 'error', object: 'public.sized, public.told' },
      { code: 'pool-rights', severity: 'warning', object: 'public.part, public.counted' },
    ])
    for (const { fix } of before) await f.new(fix)
    const after = await preflight(m, 'old', 'cutover')
    expect(after.filter(({ code }) => code.startsWith('pool'))).toEqual([])
  })

  it('tells of transactions that stay open, by how long they have been', async () => {
    const other = f.m.control.old.fork()
    await other.run(`select set_config('application_name', 'sleeper', false)`)
    await other.run(`begin`)
    const context = await gather(m, 'old', 'cutover')
    await other.run(`rollback`)
    await other.close()
    const { transactions } = context.facts.old
    const [mine] = transactions.filter(({ who }) => who === 'sleeper (postgres)')
    expect(mine).toMatchObject({ idle: true, elsewhere: null })
    expect(ACTIVITY_CHECKS['idle-transaction'].find(context)).toEqual([])
    const aged = (change: Partial<TransactionFacts>): Context =>
      withOld(context, { transactions: transactions.map((one) => ({ ...one, seconds: 61, ...change })) })
    expect(ACTIVITY_CHECKS['idle-transaction'].find(aged({}))).toMatchObject([
      { side: 'old', object: 'sleeper (postgres)', fix: `select pg_terminate_backend(${mine?.pid})` },
    ])
    expect(ACTIVITY_CHECKS['long-transaction'].find(aged({}))).toEqual([])
    expect(ACTIVITY_CHECKS['long-transaction'].find(aged({ idle: false }))).toHaveLength(1)
    const elsewhere = aged({ idle: false, elsewhere: 'x' })
    expect(ACTIVITY_CHECKS['long-transaction'].find(elsewhere)).toMatchObject([
      { message: expect.stringContaining('in database x') },
    ])
    const dualWrite = { ...elsewhere, m: { ...m, mirror: 'dual-write' as const } }
    expect(ACTIVITY_CHECKS['long-transaction'].find(dualWrite)).toEqual([])
  })

  it('counts the connections that a flip would open', async () => {
    await f.new(named(`alter database $db connection limit 1`))
    const others = [f.m.control.old.fork(), f.m.control.old.fork()]
    for (const other of others) await other.run(`select set_config('application_name', 'app', false)`)
    const context = await gather(m, 'old', 'cutover')
    await Promise.all(others.map((other) => other.close()))
    await f.new(named(`alter database $db connection limit -1; alter role other_$db connection limit 1`))
    expect(ACTIVITY_CHECKS['connection-room'].find(context)).toMatchObject([
      { side: 'new', object: 'max_connections', message: expect.stringContaining('2 more connections') },
    ])
    const { pool } = await readFacts(f.new, undefined, named('other_$db'))
    expect(pool).toMatchObject({ superuser: false, connectionLimit: 1 })
    const byRole = {
      ...context,
      facts: {
        ...context.facts,
        new: { ...context.facts.new, pool, connections: { ...context.facts.new.connections, limit: 9999 } },
      },
    }
    expect(ACTIVITY_CHECKS['connection-room'].find(byRole)).toMatchObject([{ object: named('other_$db') }])
  })
})

const withOld = (context: Context, change: Partial<SideFacts>): Context => ({
  ...context,
  facts: { ...context.facts, old: { ...context.facts.old, ...change } },
})

it('names a standby by what the server says of it', () => {
  const facts = { old: { standbys: ['replica (postgres)'] }, new: { standbys: [] } }
  const context = { from: 'old', to: 'new', facts } as unknown as Context
  expect(ACTIVITY_CHECKS['physical-standby'].find(context)).toMatchObject([
    { side: 'old', object: 'replica (postgres)' },
  ])
})
