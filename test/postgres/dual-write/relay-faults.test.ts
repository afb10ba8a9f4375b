// What the other side refuses is named and waits, everything else goes on; a side that is away costs the writer nothing.
import pg from 'pg'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { controlConnection } from '../../../src/control/control-connection.js'
import type { Migration } from '../../../src/control/migration.js'
import { installCapture } from '../../../src/dual-write/capture.js'
import { RelayMember } from '../../../src/dual-write/relay-member.js'
import { recordOf } from '../../../src/dual-write/relay-record.js'
import { readStuck, setAside, tryAgain } from '../../../src/dual-write/stuck.js'
import { startProxy } from '../../support/proxy.js'
import type { Proxy } from '../../support/proxy.js'
import { fixture, migrationBetween, one, until, untilSo } from '../mirror/fixture.js'
import type { Fixture } from '../mirror/fixture.js'

const SCHEMA = `
  create table public.item (id int primary key, n int not null default 1);
  create table public.other (id int primary key, n int not null default 1)`

let f: Fixture
let proxy: Proxy
let m: Migration
let member: RelayMember
let warnings: { readonly code: string; readonly message: string }[]

beforeAll(async () => {
  f = await fixture({ schema: SCHEMA, dualWrite: {} })
  await installCapture(f.m, 'new', performance.now() + 10_000)
  await installCapture(f.m, 'old', performance.now() + 10_000)
  // The relay alone goes through it.
  proxy = await startProxy(Number(new URL(f.urls.new).port))
  const urls = { old: f.urls.old, new: proxy.url(f.urls.new) }
  const control = {
    old: controlConnection({ side: 'old', config: { connectionString: urls.old } }),
    new: controlConnection({ side: 'new', config: { connectionString: urls.new } }),
  }
  m = migrationBetween(f.m.name, control, urls, { dualWrite: { batchRows: 100 } })
  m.events.on('warning', (warning) => void warnings.push(warning))
  warnings = []
  member = new RelayMember(m, 'old')
  member.start()
})

afterEach(() => void (warnings = []))

afterAll(async () => {
  await member.close()
  await Promise.all([m.control.old.close(), m.control.new.close()])
  await proxy.close()
  await f.drop()
})

const told = (code: string, text: RegExp): Promise<void> =>
  untilSo(() => warnings.some((warning) => warning.code === code && text.test(warning.message)))

const expectSame = async (table: 'item' | 'other'): Promise<void> => {
  const text = `(select coalesce(string_agg(t::text, ' ' order by id), '') from public.${table} t)`
  expect(await one(f.new, text)).toBe(await one(f.old, text))
}

const stuckKeys = async (): Promise<unknown> => (await readStuck(f.old, m.name)).map(({ key }) => key)

const drainedBut = (rows: number): Promise<void> =>
  until(f.old, `(select count(distinct (tbl, key)) from ${recordOf(m.name)}) = $1`, [rows])

describe('a row that the other side refuses', () => {
  it('is named and left on record, while all others go on, until it can be written', async () => {
    await f.new(`alter table public.item add constraint few check (n < 1000)`)
    await f.old(`insert into public.item select i, case when i in (17, 60) then 5000 else i end from generate_series(1, 90) i;
      insert into public.other select i from generate_series(1, 10) i`)
    await drainedBut(2)
    expect(await stuckKeys()).toEqual(['17', '60'])
    expect(await one(f.new, `select count(*)::int from public.item`)).toBe(88)
    await expectSame('other')
    await told('MIRROR_STUCK', /"public"\."item" 17 \(23514: .*few.*"public"\."item" 60/)
    // A later change is one of the same row, and others pass it.
    await f.old(`update public.item set n = 6000 where id = 17; insert into public.item values (91)`)
    await drainedBut(2)
    await f.new(`alter table public.item drop constraint few`)
    expect(await tryAgain(f.old, m.name)).toBe(2)
    await member.applied()
    await expectSame('item')
    expect(await stuckKeys()).toEqual([])
  })

  it('is passed over only once it was set aside, and tried at its next change', async () => {
    await f.new(`alter table public.item add constraint few check (n < 1000) not valid`)
    await f.old(`insert into public.item values (200, 5000)`)
    await drainedBut(1)
    await until(f.old, `exists (select from cutover.stuck)`)
    expect(await setAside(f.old, m.name, { key: '200' })).toBe(1)
    await drainedBut(0)
    await member.applied()
    expect((await readStuck(f.old, m.name)).map(({ setAside: aside }) => aside)).toEqual([true])
    await f.old(`update public.item set n = 5 where id = 200`)
    await member.applied()
    await until(f.old, `not exists (select from cutover.stuck)`)
    await expectSame('item')
    await f.new(`alter table public.item drop constraint few`)
  })

  it('is not taken for the end of the lead where it divides by zero', async () => {
    await f.new(`alter table public.item add constraint ratio check (100 / n > 0) not valid`)
    const { generation } = member.status()
    await f.old(`insert into public.item values (300, 0), (301, 1)`)
    await drainedBut(1)
    expect(await stuckKeys()).toEqual(['300'])
    expect(member.status().generation).toBe(generation)
    await f.new(`alter table public.item drop constraint ratio`)
    await tryAgain(f.old, m.name)
    await member.applied()
    await expectSame('item')
  })

  it('is tried again as soon as somebody says so, whatever else is refused at that moment', async () => {
    const limit = (most: number): Promise<unknown> =>
      f.new(`alter table public.item drop constraint if exists most;
        alter table public.item add constraint most check (n < ${most}) not valid`)
    await limit(1_000)
    await f.old(`insert into public.item values (500, 2000)`)
    await until(f.old, `exists (select from cutover.stuck where key = '500')`)
    await limit(3_000)
    await f.old(`delete from cutover.stuck; insert into public.item values (501, 4000)`)
    await until(f.new, `exists (select from public.item where id = 500)`)
    await drainedBut(1)
    expect(await stuckKeys()).toEqual(['501'])
    await f.old(`delete from public.item where id >= 500`)
    await tryAgain(f.old, m.name)
    await member.applied()
    await f.new(`alter table public.item drop constraint most`)
  })

  it('may be one that has another row of the other side in its way', async () => {
    await f.new(`create unique index one on public.item (n) where id > 400`)
    await f.old(`insert into public.item values (401, 1), (402, 1), (403, 2)`)
    await until(f.old, `(select sqlstate = '23505' from cutover.stuck)`)
    await drainedBut(1)
    expect(await one(f.new, `select count(*)::int from public.item where id > 400`)).toBe(2)
    await f.old(
      `update public.item set n = 3 where id > 401 and n = 1; update public.item set n = id where id > 400`,
    )
    await tryAgain(f.old, m.name)
    await member.applied()
    await expectSame('item')
    await f.new(`drop index public.one`)
  })
})

it('names a table that is not there any more, and brings it up to date when it is back', async () => {
  await f.new(`alter table public.item rename to elsewhere`)
  await f.old(`update public.item set n = n + 1; update public.other set n = n + 1`)
  await until(f.new, `(select min(n) from public.other) = 2`)
  await until(f.old, `exists (select from cutover.stuck where key is null and table_name = 'public.item')`)
  await f.new(`alter table public.elsewhere rename to item`)
  await tryAgain(f.old, m.name)
  await member.applied()
  await expectSame('item')
})

it('brings a table over anew that was set aside, without the rows that have gone meanwhile', async () => {
  await f.new(`alter table public.other rename to elsewhere`)
  await f.old(`update public.other set n = n + 1`)
  await until(f.old, `exists (select from cutover.stuck where key is null and table_name = 'public.other')`)
  await f.old(`delete from public.other where id = 7`)
  expect(await setAside(f.old, m.name)).toBe(1)
  await drainedBut(0)
  await f.new(`alter table public.elsewhere rename to other`)
  expect(await tryAgain(f.old, m.name)).toBe(1)
  await until(
    f.old,
    `not exists (select from cutover.backfill where finished is null)
    and not exists (select from ${recordOf(m.name)})`,
  )
  await expectSame('other')
})

it('has a column of another type tried again after it was mended', async () => {
  await f.new(`alter table public.other alter column n type text using n::text, add check (n::int < 50)`)
  await f.new(`alter table public.other drop constraint other_n_check, alter column n type int using n::int`)
  await f.old(`update public.other set n = n + 100`)
  await member.applied()
  await expectSame('other')
})

describe('while the other side is away', () => {
  it('the writer goes on, it is told once what is wrong, and that it is over', async () => {
    await proxy.refuse()
    proxy.cut()
    await f.old(`update public.item set n = n + 1`)
    await told('MIRROR_RELAY', /cannot go on/)
    await until(f.old, `(select trouble is not null from cutover.relay)`)
    await f.old(`update public.other set n = n + 1`)
    await proxy.resume()
    await member.applied()
    await told('MIRROR_RELAY', /again/)
    await expectSame('item')
    await expectSame('other')
    expect(warnings.filter(({ code }) => code === 'MIRROR_RELAY').length).toBeLessThanOrEqual(4)
  })

  it('a write whose commit nobody has answered is written again', async () => {
    for (let nr = 0; nr < 5; nr++) {
      await f.old(`update public.item set n = n + 1; delete from public.other where id = ${nr}`)
      proxy.cut()
    }
    await member.applied()
    await expectSame('item')
    await expectSame('other')
  })
})

it('writes nothing to the other side that a crash of the writer could undo', async () => {
  const client = new pg.Client({ connectionString: f.urls.old })
  await client.connect()
  try {
    for (let nr = 0; nr < 5; nr++) {
      const { rows } = await client
        .query<{ lsn: string }[]>(
          `set synchronous_commit = off; update public.other set n = 7000 + ${nr} where id = 9;
         select pg_current_wal_insert_lsn()::text as lsn`,
        )
        .then((results) => (results as unknown as { rows: { lsn: string }[] }[])[2] ?? { rows: [] })
      await until(f.new, `(select n from public.other where id = 9) = 7000 + ${nr}`)
      expect(await one(f.old, `pg_current_wal_flush_lsn() >= $1`, [rows[0]?.lsn])).toBe(true)
    }
  } finally {
    await client.end()
  }
})
