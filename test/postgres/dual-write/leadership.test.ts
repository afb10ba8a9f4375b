// One member of a relay leads at a time; who follows shuts out what the one before has under way.
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import pg from 'pg'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { controlConnection } from '../../../src/control/control-connection.js'
import type { Migration } from '../../../src/control/migration.js'
import { installCapture } from '../../../src/dual-write/capture.js'
import { RelayMember } from '../../../src/dual-write/relay-member.js'
import { startProxy } from '../../support/proxy.js'
import type { Proxy } from '../../support/proxy.js'
import { fixture, migrationBetween, one, until, untilSo } from '../mirror/fixture.js'
import type { Fixture } from '../mirror/fixture.js'

let f: Fixture
const members: RelayMember[] = []
const closers: (() => Promise<void>)[] = []

beforeAll(async () => {
  f = await fixture({ schema: `create table public.item (id int primary key, v text)`, dualWrite: {} })
  await installCapture(f.m, 'new', performance.now() + 10_000)
  await installCapture(f.m, 'old', performance.now() + 10_000)
  // Every write of a relay is kept, which no ordinary trigger would see.
  await f.new(`create table public.history (v text);
    create function public.note() returns trigger language plpgsql as
      'begin insert into public.history values (new.v); return null; end';
    create trigger note after insert or update on public.item for each row execute function public.note();
    alter table public.item enable always trigger note`)
})

afterEach(async () => {
  await Promise.all(members.splice(0).map((member) => member.close()))
  for (const close of closers.splice(0).toReversed()) await close()
})

afterAll(() => f.drop())

function memberOf(m: Migration = f.m): RelayMember {
  const member = new RelayMember(m, 'old')
  members.push(member)
  member.start()
  return member
}

/** The same migration as a process sees it whose connections go through proxies. */
async function apart(): Promise<{ readonly m: Migration; readonly old: Proxy; readonly new: Proxy }> {
  const proxies = { old: await startProxy(portOf(f.urls.old)), new: await startProxy(portOf(f.urls.new)) }
  const urls = { old: proxies.old.url(f.urls.old), new: proxies.new.url(f.urls.new) }
  const control = {
    old: controlConnection({ side: 'old', config: { connectionString: urls.old } }),
    new: controlConnection({ side: 'new', config: { connectionString: urls.new } }),
  }
  closers.push(async () => {
    await Promise.all([control.old.close(), control.new.close()])
    await Promise.all([proxies.old.close(), proxies.new.close()])
  })
  return { m: migrationBetween(f.m.name, control, urls, { dualWrite: {} }), ...proxies }
}

const portOf = (url: string): number => Number(new URL(url).port)

const leads = async (...candidates: readonly RelayMember[]): Promise<RelayMember> => {
  let leader: RelayMember | undefined
  await untilSo(() => (leader = candidates.find(({ leading }) => leading)) !== undefined)
  if (!leader) throw new Error('nobody leads')
  return leader
}

const LOCKERS = `select pid from pg_locks where locktype = 'advisory' and granted
  and database = (select oid from pg_database where datname = current_database())`

it('gives the lead to one of two, and to the other one when the first goes', async () => {
  const both = [memberOf(), memberOf()]
  const first = await leads(...both)
  const second = both.find((member) => member !== first)
  if (!second) throw new Error('there is no second member')
  expect(second.leading).toBe(false)
  await first.close()
  await leads(second)
  expect(second.status().generation).toBe((first.status().generation ?? 0) + 1)
  await f.old(`insert into public.item values (1, 'by the second')`)
  await second.applied()
  expect(await one(f.new, `select v from public.item where id = 1`)).toBe('by the second')
})

it('leads again after the session that is the lock was ended', async () => {
  const member = memberOf()
  await leads(member)
  const before = member.status().generation ?? 0
  await f.old(`select pg_terminate_backend(pid, 5000) from (${LOCKERS}) l`)
  await until(f.new, `exists (select from cutover.side where relay_generation > $1)`, [before])
  await f.old(`insert into public.item values (2, 'after')`)
  await member.applied()
  expect(await one(f.new, `select v from public.item where id = 2`)).toBe('after')
})

it('refuses a write that was read before the other side was opened', async () => {
  await f.old(`insert into public.item values (3, 'seen by both')`)
  const there = await apart()
  const member = memberOf(there.m)
  await leads(member)
  await member.applied()
  there.new.stall('to-server')
  const before = await one<string>(f.old, `clock_timestamp()::text`)
  await f.old(`update public.item set v = 'late' where id = 3`)
  // The reading has ended: what follows is the write, while the backfill may go on.
  await until(
    f.old,
    `exists (select from pg_stat_activity where application_name = 'pg-cutover relay' and state = 'idle'
       and datname = current_database() and query_start > $1 and query ~ '(^|[[:space:]])begin isolation|^with gone')`,
    [before],
  )
  await f.new(
    `update cutover.side set status = 'writer', epoch = 1, opened = 1, relay_generation = relay_generation + 1`,
  )
  await f.new(`update public.item set v = 'written by the application' where id = 3`)
  await there.new.resume()
  await untilSo(() => !member.leading)
  expect(await one(f.new, `select v from public.item where id = 3`)).toBe('written by the application')
  expect(await one(f.new, `select exists (select from public.history where v = 'late')`)).toBe(false)
  await f.new(`update cutover.side set status = 'mirror', epoch = 0, opened = 0`)
})

it('shuts out a write of its own that it lost and that arrives after a later one', async () => {
  const network = await lossyNetwork(portOf(f.urls.new))
  const url = new URL(f.urls.new)
  url.host = `127.0.0.1:${network.port}`
  const control = {
    old: controlConnection({ side: 'old', config: { connectionString: f.urls.old } }),
    new: controlConnection({ side: 'new', config: { connectionString: url.href } }),
  }
  closers.push(async () => {
    await Promise.all([control.old.close(), control.new.close()])
    network.close()
  })
  const member = memberOf(
    migrationBetween(f.m.name, control, { ...f.urls, new: url.href }, { dualWrite: {} }),
  )
  await leads(member)
  await f.old(`insert into public.item values (6, 'begin')`)
  await member.applied()
  const lost = network.lose(/^execute .*\blost\b/m)
  await f.old(`update public.item set v = 'lost' where id = 6`)
  const arrive = await lost
  await f.old(`update public.item set v = 'last' where id = 6`)
  await member.applied()
  expect(await one(f.new, `select v from public.item where id = 6`)).toBe('last')
  await arrive()
  expect(await one(f.new, `select v from public.item where id = 6`)).toBe('last')
  expect(await one(f.new, `select exists (select from public.history where v = 'lost')`)).toBe(false)
})

interface LossyNetwork {
  readonly port: number
  /** The next text like this is kept on its way, and its sender loses the connection; what is given lets it arrive. */
  lose(text: RegExp): Promise<() => Promise<void>>
  close(): void
}

async function lossyNetwork(port: number): Promise<LossyNetwork> {
  const sockets = new Set<Socket>()
  let losing: { readonly text: RegExp; readonly kept: (arrive: () => Promise<void>) => void } | undefined
  const listener = createServer((client) => {
    const server = connect(port, '127.0.0.1')
    sockets.add(client).add(server)
    let isLost = false
    client.on('error', () => {}).on('close', () => isLost || server.destroy())
    server.on('error', () => {}).on('close', () => client.destroy())
    server.on('data', (chunk) => client.destroyed || client.write(chunk))
    client.on('data', (chunk) => {
      if (!losing?.text.test(chunk.toString())) {
        server.write(chunk)
        return
      }
      isLost = true
      client.resetAndDestroy()
      losing.kept(async () => {
        server.end(chunk)
        await once(server, 'close')
      })
      losing = undefined
    })
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  return {
    port: (listener.address() as AddressInfo).port,
    lose: (text) => new Promise((kept) => (losing = { text, kept })),
    close() {
      listener.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

it('rests while the side that it reads is no writer and nothing is on record', async () => {
  const member = memberOf()
  await leads(member)
  await member.applied()
  await f.old(`update cutover.side set status = 'moved'`)
  try {
    await untilSo(() => !member.leading)
    await until(f.old, `not exists (${LOCKERS})`)
  } finally {
    await f.old(`update cutover.side set status = 'writer'`)
  }
  await leads(member)
})

it('goes on at a fence', async () => {
  const member = memberOf()
  await leads(member)
  const blocker = new pg.Client({ connectionString: f.urls.new })
  await blocker.connect()
  try {
    await blocker.query(`begin; lock table public.item`)
    await f.old(`insert into public.item values (4, 'before the fence')`)
    await f.old(`update cutover.side set status = 'fenced'`)
    await blocker.query('commit')
    await member.applied()
    expect(await one(f.new, `select v from public.item where id = 4`)).toBe('before the fence')
  } finally {
    await blocker.end()
    await f.old(`update cutover.side set status = 'writer'`)
  }
})

it('closes soon while neither database answers', async () => {
  const there = await apart()
  const member = memberOf(there.m)
  await leads(member)
  there.old.stall()
  there.new.stall()
  const began = performance.now()
  await member.close()
  expect(performance.now() - began).toBeLessThan(5_000)
})
