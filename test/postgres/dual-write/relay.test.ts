// The relay carries the record over: after whatever was done on the writer, the other side has the same rows.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { installCapture } from '../../../src/dual-write/capture.js'
import { prepared, PreparedTexts } from '../../../src/dual-write/prepared-texts.js'
import { RelayMember } from '../../../src/dual-write/relay-member.js'
import { RelayTables } from '../../../src/dual-write/relay-tables.js'
import { fixture, one, until } from '../mirror/fixture.js'
import type { Fixture } from '../mirror/fixture.js'
import { drained, rowsOf } from './carried.js'

/** Of more tables than the rows are read of before it is known which of them are on record. */
const MANY = Array.from({ length: 12 }, (_, nr) => `many_${nr}`)

const TABLES = ['item', 'line', 'child', 'wide', ...MANY]

const SCHEMA = `
  create table public.item (id int primary key, code text unique, n int not null default 0);
  create table public.line (a int, b text, v numeric, primary key (a, b));
  create table public.child (id int primary key, item int references public.item on delete cascade);
  create table public.wide (id int primary key, body text);
  ${MANY.map((name) => `create table public.${name} (id int primary key, v text)`).join('; ')}`

// So few that what belongs together is seldom in one batch.
const BATCH_ROWS = 25

let f: Fixture
let member: RelayMember
const warnings: string[] = []

beforeAll(async () => {
  f = await fixture({ schema: SCHEMA, dualWrite: { batchRows: BATCH_ROWS, batchBytes: 64 * 1024 } })
  await installCapture(f.m, 'new', performance.now() + 10_000)
  await installCapture(f.m, 'old', performance.now() + 10_000)
  f.m.events.on('warning', ({ message }) => void warnings.push(message))
  member = new RelayMember(f.m, 'old')
  member.start()
})

afterAll(async () => {
  await member.close()
  await f.drop()
})

/** And nothing was refused on the way. */
async function expectEqual(): Promise<void> {
  expect(warnings).toEqual([])
  for (const table of TABLES) {
    const [old, next] = await Promise.all([rowsOf(f.old, table), rowsOf(f.new, table)])
    expect(next, table).toBe(old)
  }
}

describe('the other side has the same rows after', () => {
  it.each([
    ['inserts', `insert into public.item select i, 'c' || i from generate_series(1, 300) i`],
    ['changes of keys', `update public.item set id = -id where id between 10 and 60`],
    [
      'unique values that went round three rows',
      `update public.item set code = 'x' where id = 100; update public.item set code = 'c100' where id = 101;
       update public.item set code = 'c101' where id = 300; update public.item set code = 'c300' where id = 100`,
    ],
    [
      'unique values that went round more rows than a batch has',
      `update public.item set code = null where id between 100 and 299;
       update public.item set code = 'c' || (id + 1) where id between 101 and 298`,
    ],
    [
      'a delete and an insert of one key',
      `delete from public.item where id = 299; insert into public.item values (299, 'again', 7)`,
    ],
    [
      'writes to several tables',
      `insert into public.line select i, 'b"\\' || i, i / 3.0 from generate_series(1, 50) i;
       insert into public.child select i, i from generate_series(100, 150) i`,
    ],
    [
      'a transaction that writes to more tables than are read at once',
      `${MANY.map((name) => `insert into public.${name} values (1, '${name}'), (2, 'goes')`).join('; ')};
       ${MANY.map((name) => `delete from public.${name} where id = 2`).join('; ')}`,
    ],
    ['a cascade', `delete from public.item where id between 100 and 120`],
    ['keys that are equal and written otherwise', `update public.line set v = 1.10 where a < 5`],
    [
      'rows that are larger than a batch',
      `insert into public.wide select i, repeat('x', 40000) || i from generate_series(1, 8) i`,
    ],
  ])('%s', async (_, text) => {
    await f.old(text)
    await member.applied()
    await expectEqual()
  })

  it('a TRUNCATE and what was written after it', async () => {
    // More than one transaction takes away.
    await f.new(`insert into public.line select i, 'left over', 0 from generate_series(1000, 25000) i`)
    await f.old(
      `truncate public.line; insert into public.line select i, 'new', i from generate_series(1, 70) i`,
    )
    await drained(f)
    await expectEqual()
  })

  it('an insert by a transaction that is older than the TRUNCATE before it', async () => {
    const older = new pg.Client({ connectionString: f.urls.old })
    await older.connect()
    try {
      await older.query(`begin; insert into public.wide values (100, 'takes its transaction id')`)
      await f.old(`truncate public.line; insert into public.line values (1, 'after', 1)`)
      await older.query(`insert into public.line values (2, 'older', 2); commit`)
    } finally {
      await older.end()
    }
    await drained(f)
    await expectEqual()
    expect(await one(f.new, `select count(*)::int from public.line`)).toBe(2)
  })

  it('random work of four sessions', async () => {
    await Promise.all([1, 2, 3, 4].map((seed) => work(f.urls.old, seed)))
    await member.applied()
    await expectEqual()
  })

  it('a column that was added while the relay was at work', async () => {
    await f.new(`alter table public.item add column late text`)
    await f.old(`alter table public.item add column late text`)
    await f.old(`update public.item set late = 'l' || id where id > 200`)
    await member.applied()
    await expectEqual()
  })
})

/** Short transactions on few rows: moves of unique values, changes of keys, deletes and inserts. */
async function work(url: string, seed: number): Promise<void> {
  let state = seed
  const random = (below: number): number => {
    state = (state * 48_271) % 2_147_483_647
    return state % below
  }
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    for (let nr = 0; nr < 40; nr++) {
      const [a, b] = [1_000 + random(12), 1_000 + random(12)]
      const texts = [
        `insert into public.item values (${a}, 'r${a}') on conflict do nothing`,
        `delete from public.item where id = ${a}`,
        `update public.item set n = n + 1 where id = ${a}`,
        `update public.item set id = ${b} where id = ${a}`,
        `with both_rows as (select id, code from public.item where id in (${a}, ${b}) order by id for update),
           first as (select min(code) as code from both_rows)
         update public.item set code = 's' || ${random(4)} where id = ${a}`,
      ]
      // Some meet each other's unique values and fail.
      await client.query(texts[random(texts.length)] ?? '').catch(() => {})
    }
  } finally {
    await client.end()
  }
}

it('goes on after sessions were ended in which statements were planned', async () => {
  for (const run of [f.old, f.new])
    await run(`select pg_terminate_backend(pid, 5000) from pg_stat_activity
      where application_name = 'pg-cutover relay' and datname = current_database()
        and pid not in (select pid from pg_locks where locktype = 'advisory')`)
  await f.old(`insert into public.item values (5000, 'afterwards')`)
  await member.applied()
  expect(await one(f.new, `select code from public.item where id = 5000`)).toBe('afterwards')
  warnings.length = 0
})

it('plans statements again on a connection that was opened again', async () => {
  const on = f.m.control.old.fork()
  try {
    const texts = new PreparedTexts(on)
    const twice = prepared('int', 'select $1 * 2 as n')
    const asked = (): Promise<unknown> => texts.run(`select 1 as n; execute ${twice.name} (21)`, [twice])
    expect(await asked()).toEqual([[{ n: 1 }], [{ n: 42 }]])
    const [session] = await on.run<{ pid: number }>('select pg_backend_pid() as pid')
    await f.old('select pg_terminate_backend($1, 5000)', [session?.pid])
    // It may hear of the end only when it asks.
    await on.run('select').catch(() => {})
    expect(await asked()).toEqual([[{ n: 1 }], [{ n: 42 }]])
  } finally {
    await on.close()
  }
})

describe('a ticket', () => {
  it('resolves when everything before it is there, and not before', async () => {
    const blocker = new pg.Client({ connectionString: f.urls.new })
    await blocker.connect()
    let resolved = false
    try {
      await blocker.query(`begin; lock table public.wide`)
      await f.old(`insert into public.wide values (200, 'waits')`)
      const ticket = member.applied().then(() => (resolved = true))
      await until(f.new, `exists (select from pg_locks where not granted)`)
      expect(resolved).toBe(false)
      await blocker.query('commit')
      await ticket
    } finally {
      await blocker.end()
    }
    expect(await one(f.new, `select body from public.wide where id = 200`)).toBe('waits')
  })
})

describe('what is known of the tables', () => {
  it('has a table wait that lacks a column on the new side', async () => {
    const lines = { here: f.m.control.old, lock: f.m.control.old, there: f.m.control.new }
    const tables = new RelayTables(f.m, 'old', lines)
    const wide = await one<number>(f.old, `'public.wide'::regclass::oid::int8::float8`)
    await f.old(`alter table public.wide add column later text`)
    expect(await tables.read()).toBe(false)
    expect(tables.byOid.has(wide)).toBe(false)
    await f.new(`alter table public.wide add column later text`)
    expect(await tables.read()).toBe(false)
    expect(tables.byOid.has(wide)).toBe(true)
  })

  it('has a table brought over anew whose column the old side has got later, on the way back', async () => {
    const lines = { here: f.m.control.new, lock: f.m.control.new, there: f.m.control.old }
    const tables = new RelayTables(f.m, 'new', lines)
    await f.new(`alter table public.wide add column latest text`)
    expect(await tables.read()).toBe(false)
    await f.old(`alter table public.wide add column latest text`)
    expect(await tables.read()).toBe(true)
    expect(await tables.read()).toBe(false)
  })
})
