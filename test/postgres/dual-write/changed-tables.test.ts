// What is done to the tables and to the server while the mirror runs: nothing is carried over by what holds no more.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { ensureControlSchema } from '../../../src/control/schema.js'
import { insertMirror, insertWriter } from '../../../src/control/side-row.js'
import { installCapture } from '../../../src/dual-write/capture.js'
import { RelayMember } from '../../../src/dual-write/relay-member.js'
import { tryAgain } from '../../../src/dual-write/stuck.js'
import { fixture, one, until } from '../mirror/fixture.js'
import type { Fixture } from '../mirror/fixture.js'
import { drained, rowsOf } from './carried.js'

const SCHEMA = `
  create table public.day (id int primary key, at date, size real);
  create table public.coded (id int not null, code int not null unique, v int);
  create table public.cut (id int primary key, at date);
  create publication everything for all tables`

let f: Fixture
let member: RelayMember

const install = (): ReturnType<typeof installCapture> =>
  installCapture(f.m, 'old', performance.now() + 10_000)

const lead = (): void => {
  member = new RelayMember(f.m, 'old')
  member.start()
}

beforeAll(async () => {
  f = await fixture({ schema: SCHEMA, dualWrite: {}, prepared: false })
  await Promise.all([ensureControlSchema(f.m.control.old), ensureControlSchema(f.m.control.new)])
  await insertWriter(f.m.control.old, f.m.name, 'old')
  await insertMirror(f.m.control.new, f.m.name)
  await install()
  lead()
})

afterAll(async () => {
  await member?.close()
  await f.drop()
})

it('goes on where somebody publishes all tables, of which none may then lack an identity', async () => {
  await f.old(`insert into public.day values (1, '2026-01-01', 1.5); update public.day set size = 2.5`)
  await drained(f)
  expect(await rowsOf(f.new, 'day')).toBe('(1,2026-01-01,2.5)')
  const lacking = `select array_agg(c.relname::text) from pg_class c
    where c.relnamespace = 'cutover'::regnamespace and c.relkind = 'r' and c.relreplident = 'd'
      and not exists (select from pg_index i where i.indrelid = c.oid and i.indisprimary)`
  expect(await one(f.old, lacking)).toBe(null)
  await f.both('drop publication everything')
})

it('cuts no value short when types are changed under the leader', async () => {
  await f.both(
    `alter table public.day alter column at type timestamp, alter column size type double precision`,
  )
  await f.old(`insert into public.day values (2, '2026-01-01 10:11:12', 0.1234567890123)`)
  await drained(f)
  expect(await rowsOf(f.new, 'day')).toBe(await rowsOf(f.old, 'day'))
})

it('has a table wait whose columns the other side cannot hold, whoever leads then', async () => {
  await f.old(`alter table public.cut alter column at type timestamp, add column late text`)
  await f.old(`insert into public.cut values (1, '2026-01-01 10:11:12', 'late')`)
  await until(f.old, `exists (select from cutover.stuck where table_name = 'public.cut' and key is null)`)
  await f.new(`alter table public.cut add column late text`)
  await member.close()
  lead()
  await f.old(`insert into public.cut values (2, '2026-01-01 10:11:13', 'later');
    insert into public.day values (3, '2026-01-01', 1)`)
  await until(f.new, `exists (select from public.day where id = 3)`)
  expect(await rowsOf(f.new, 'cut')).toBe('')
  await f.new(`alter table public.cut alter column at type timestamp`)
  await tryAgain(f.old, f.m.name)
  await drained(f)
  expect(await rowsOf(f.new, 'cut')).toBe(await rowsOf(f.old, 'cut'))
})

it('goes by another key from when the table is captured by that', async () => {
  await f.old(`insert into public.coded select i, 10 - i, 0 from generate_series(1, 9) i`)
  await drained(f)
  await f.both(`alter table public.coded add primary key (id)`)
  await install()
  await drained(f)
  await f.old(`update public.coded set v = 8 where id = 2`)
  await drained(f)
  expect(await rowsOf(f.new, 'coded')).toBe(await rowsOf(f.old, 'coded'))
})

it('reads nothing on record by another key than it was put there by', async () => {
  await member.close()
  await f.both(`alter table public.coded drop constraint coded_pkey`)
  lead()
  await f.old(`update public.coded set v = 7 where id = 3`)
  await until(f.old, `exists (select from cutover.stuck where table_name = 'public.coded' and key is null)`)
  expect(await one(f.old, `select message from cutover.stuck`)).toContain('another key')
  await install()
  await tryAgain(f.old, f.m.name)
  await drained(f)
  expect(await rowsOf(f.new, 'coded')).toBe(await rowsOf(f.old, 'coded'))
})
