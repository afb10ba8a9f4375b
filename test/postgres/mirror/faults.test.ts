// What the mirror does when a server or a connection string fails, and that no message ever holds the password.
import { readFile } from 'node:fs/promises'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { controlConnection } from '../../../src/control/control-connection.js'
import type { ControlConnection } from '../../../src/control/control-connection.js'
import type { Migration } from '../../../src/control/migration.js'
import { ensureControlSchema } from '../../../src/control/schema.js'
import { insertMirror, insertWriter } from '../../../src/control/side-row.js'
import { changeWriter } from '../../../src/coordinator/coordinator.js'
import { createForward, createReverse, dropStream, streamHealth } from '../../../src/mirror/replication.js'
import { redact } from '../../../src/mirror/redact.js'
import { run } from '../../cli/run.js'
import { startServer } from '../../support/servers.js'
import type { Server } from '../../support/servers.js'
import { migrationBetween, one, until } from './fixture.js'

const SECRET = 'geheim%20wort'
const DECODED = 'geheim wort'

let oldServer: Server
let newServer: Server
let old: ControlConnection
let next: ControlConnection
let m: Migration
const ignore = (): void => {}

beforeAll(async () => {
  // Workers that failed start again at once, so that the tests need not wait for them.
  const options = { seeds: inject('seeds'), settings: { wal_retrieve_retry_interval: '100ms' } }
  ;[oldServer, newServer] = await Promise.all([startServer(15, options), startServer(18, options)])
})
afterAll(() => Promise.all([oldServer.destroy(), newServer.destroy()]))

beforeEach(async () => {
  old = controlConnection({ side: 'old', config: { connectionString: oldServer.url() } })
  next = controlConnection({ side: 'new', config: { connectionString: newServer.url() } })
  m = migrationBetween('faults', { old, new: next }, { old: oldServer.url(), new: newServer.url() })
  for (const side of [old, next]) {
    await ensureControlSchema(side)
    await side.run(`create table public.item (id int primary key, note text)`)
  }
  await insertWriter(old, m.name, 'old')
  await insertMirror(next, m.name)
  await old.run(`insert into public.item select g, repeat('x', 200) from generate_series(1, 20000) g`)
})

afterEach(async () => {
  await dropStream(m, 'old')
  await dropStream(m, 'new')
  for (const side of [old, next]) {
    await side.run(`drop schema cutover cascade; drop table public.item;
      drop function if exists public.wait`)
    await side.close()
  }
})

it('finishes the copy although the publisher was killed in the middle of it', async () => {
  // Held before its first row: the copy has begun and cannot end.
  const holder = next.fork()
  await holder.run(`begin`)
  await holder.run(`lock table public.item in share mode`)
  const copied = createForward(m, 'old', ignore)
  await until(
    next.run,
    `exists (select from pg_stat_activity where wait_event_type = 'Lock' and backend_type like 'logical%')`,
  )
  await oldServer.kill()
  await oldServer.start()
  await holder.close()
  await copied
  expect(await one(next.run, `select count(*)::int from public.item`)).toBe(20_000)
  await dropStream(m, 'old')
  expect(await old.run(`select slot_name from pg_replication_slots`)).toEqual([])
})

it('gives up a copy that fails again and again, naming the table', async () => {
  await next.run(`insert into public.item values (1, 'in the way')`)
  await expect(createForward(m, 'old', ignore)).rejects.toThrow(/keeps failing.*public\.item/)
})

it('drops a copy under way, with the slot that Postgres made for it and could not drop', async () => {
  // The copy stands at its first row for as long as this lock is held.
  await next.run(`create function public.wait() returns trigger language plpgsql as
    'begin perform pg_advisory_xact_lock_shared(4711); return new; end';
    create trigger wait before insert on public.item for each row execute function public.wait();
    alter table public.item enable always trigger wait`)
  const holder = next.fork()
  await holder.run(`select pg_advisory_lock(4711)`)
  const copied = createForward(m, 'old', ignore).then(
    () => 'copied',
    () => 'given up',
  )
  await until(next.run, `exists (select from pg_locks where locktype = 'advisory' and not granted)`)
  // The sentinel's copy may have one too for a moment.
  expect(await one(old.run, `exists (select from pg_replication_slots where slot_name like 'pg\\_%')`)).toBe(
    true,
  )
  // Postgres drops that slot by itself unless the publisher is away at this moment.
  await oldServer.kill()
  await expect(dropStream(m, 'old')).rejects.toThrow()
  await oldServer.start()
  await dropStream(m, 'old')
  expect(await old.run(`select slot_name from pg_replication_slots`)).toEqual([])
  expect(await copied).toBe('given up')
  await holder.close()
})

it('drops what can be reached when the publisher is gone for good', async () => {
  await createForward(m, 'old', ignore)
  await createReverse(m, 'new')
  await oldServer.kill()
  await expect(dropStream(m, 'old')).rejects.toThrow()
  expect(await streamHealth(m, 'old')).toMatchObject({ exists: false, slotRetainedBytes: undefined })
  await oldServer.start()
  await dropStream(m, 'old')
  await dropStream(m, 'new')
  for (const side of [old, next]) {
    expect(await side.run(`select from pg_replication_slots`)).toEqual([])
    expect(await side.run(`select from pg_subscription`)).toEqual([])
    expect(await side.run(`select from pg_publication`)).toEqual([])
  }
})

describe('the connection string', () => {
  it.each([
    ['of a server that is not there', 'postgres://u:SECRET@127.0.0.1:1/postgres'],
    ['with the wrong password', 'postgres://postgres:SECRET@127.0.0.1:PORT/postgres'],
    [
      'of a database that is not there',
      "host=127.0.0.1 port=PORT user=postgres password='SECRET' dbname=nowhere",
    ],
    ['that libpq cannot read', "host=127.0.0.1 nonsense=1 password='SECRET'"],
    ['with a loose end', "host=127.0.0.1 SECRET password='SECRET'"],
    ['with a password whose second half libpq takes for a word', 'host=127.0.0.1 password=half SECRET'],
    ['in a URL that libpq cannot read', 'postgres://u:SECRET@127.0.0.1:1/postgres?SECRET=1'],
    ['in a URL whose password is half a host to libpq', 'postgres://u:half@SECRET@127.0.0.1:PORT/postgres'],
    ['in a URL whose password is a port to libpq', 'postgres://u:SECRET/half@127.0.0.1:PORT/postgres'],
    [
      'that names a database by a URL',
      'host=127.0.0.1 port=PORT user=postgres password=RIGHT dbname=postgres://u:SECRET@127.0.0.1/postgres',
    ],
  ])('%s is refused, and neither message, details, cause nor log holds it', async (_, text) => {
    const conninfo = text
      .replaceAll('SECRET', SECRET)
      .replaceAll('PORT', String(oldServer.port))
      .replaceAll('RIGHT', oldServer.password)
    const broken: Migration = { ...m, reachedBy: { ...m.reachedBy, old: conninfo } }
    const error: unknown = await createForward(broken, 'old', ignore).catch((reason: unknown) => reason)
    expect(error).toMatchObject({
      code: 'ERR_PREPARE',
      message: expect.stringContaining('cannot subscribe') as string,
    })
    const shown = inspect(error, { depth: 10, showHidden: true })
    expect(shown).not.toContain(SECRET)
    expect(shown).not.toContain(DECODED)
    expect(await readFile(newServer.logFile, 'utf8')).not.toContain(SECRET)
    expect(await streamHealth(m, 'old')).toMatchObject({ exists: false })
  })

  it('of the way back is in nothing that a change of writer tells or stores', async () => {
    await createForward(m, 'old', ignore)
    const told: unknown[] = []
    for (const event of ['step', 'cutover', 'warning', 'progress'] as const)
      m.events.on(event, (said: unknown) => told.push(said))
    const conninfo = `postgres://u:half@${SECRET}@127.0.0.1:${newServer.port}/postgres`
    const broken: Migration = { ...m, members: 'barrier', reachedBy: { ...m.reachedBy, new: conninfo } }
    for (const preflight of [true, false])
      told.push(await changeWriter(broken, 'new', 'live', { preflight }).catch((error: unknown) => error))
    const { out, err } = await run(['preflight', '--name', m.name, '--json'], {
      OLD_DATABASE_URL: oldServer.url(),
      NEW_DATABASE_URL: newServer.url(),
      NEW_REACHED_BY: conninfo,
    })
    told.push(out, err)
    const stored = await Promise.all(
      ['journal', 'call', 'member', 'side'].map((table) =>
        old.run(`select t::text as line from cutover.${table} t`),
      ),
    )
    const shown = inspect([told, stored], { depth: 12, showHidden: true, maxArrayLength: null })
    // It was told everywhere that it failed, or nothing would be shown by this.
    expect(out).toContain('can be read in two ways')
    expect(inspect(stored[0], { maxArrayLength: null })).toContain('can be read in two ways')
    expect(shown).not.toContain('geheim')
  })

  it('is cut out of any message, in each way it can be written', () => {
    for (const conninfo of [
      'postgres://u:s3cr%40t@h/d',
      'postgres://h/d?user=u&password=s3cr%40t',
      "host=h password='s3cr@t'",
      'host=h password=s3cr@t user=u',
    ])
      expect(redact(`could not connect with ${conninfo} (s3cr@t)`, conninfo)).not.toMatch(/s3cr/)
  })
})
