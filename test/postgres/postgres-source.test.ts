// The source in a Postgres table, on a server of its own: how it hears, what it says of each fault, and how it returns.
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect, promisify } from 'node:util'
import { Client, type ClientConfig } from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { controlConnection } from '../../src/control/control-connection.js'
import {
  createCutover,
  postgresSource,
  postgresSourceSql,
  type PostgresSourceOptions,
} from '../../src/index.js'
import { readScope } from '../../src/mirror/scope.js'
import { compiled } from '../support/compiled.js'
import { freshDatabases } from '../support/databases.js'
import { hearing, type Hearing } from '../support/hearing.js'
import { startProxy, type Proxy } from '../support/proxy.js'
import { startServer, type Server } from '../support/servers.js'

const MIGRATION = { name: 'orders' }
/** An hour: what these tests hear comes from a notification, unless they poll on purpose. */
const NEVER_POLLED = { pollMillis: 3_600_000 }

let server: Server
let admin: Client
let proxy: Proxy
let heard: Hearing | undefined

async function connectAdmin(): Promise<void> {
  admin = new Client({ connectionString: server.url(), options: '-c synchronous_commit=off' })
  admin.on('error', () => {})
  await admin.connect()
}

beforeAll(async () => {
  server = await startServer(15, { seeds: inject('seeds'), settings: { log_statement: 'all' } })
  await connectAdmin()
  proxy = await startProxy(server.port)
})
afterAll(async () => {
  await proxy.close()
  await admin.end()
  await server.destroy()
})
beforeEach(async () => {
  await admin.query(postgresSourceSql())
  await say('old')
})
afterEach(async () => {
  await heard?.source.close()
  heard = undefined
  await admin.query('drop schema if exists cutover_source cascade')
})

const say = (phase: string, table = 'cutover_source.wish'): Promise<unknown> =>
  admin.query(
    `insert into ${table} values ('orders', $1) on conflict (name) do update set phase = excluded.phase`,
    [phase],
  )

async function watched(
  options: PostgresSourceOptions = NEVER_POLLED,
  connection: string | ClientConfig = server.url(),
): Promise<Hearing> {
  heard = hearing(postgresSource(connection, options))
  await heard.source.watch(heard.report, MIGRATION)
  return heard
}

const untilValue = (value: string): Promise<void> | undefined =>
  heard?.until((report, index) => index === last() && report.kind === 'value' && report.value === value)

async function untilUnavailable(): Promise<string> {
  await heard?.until((report, index) => index === last() && report.kind === 'unavailable')
  const report = heard?.reports.at(-1)
  return report?.kind === 'unavailable' ? report.reason : ''
}

const last = (): number => (heard?.reports.length ?? 0) - 1

const kinds = (): unknown[] =>
  (heard?.reports ?? []).map((report) => (report.kind === 'value' ? report.value : report.kind))

async function sessions(): Promise<readonly Record<string, unknown>[]> {
  // In a transaction the first look would stand for all.
  await admin.query('select pg_stat_clear_snapshot()')
  const { rows } = await admin.query<Record<string, unknown>>(
    `select pid, state from pg_stat_activity where application_name = 'pg-cutover source'`,
  )
  return rows
}

/** The source's session is in the middle of a statement. */
async function untilActive(): Promise<void> {
  while ((await sessions())[0]?.['state'] !== 'active') await Promise.resolve()
}

describe('changes', () => {
  it('are heard by a notification, whatever statement makes them', async () => {
    await watched()
    await untilValue('old')
    await say('mirror')
    await untilValue('mirror')
    await admin.query(`update cutover_source.wish set name = 'others'`)
    await untilUnavailable()
    await admin.query(`update cutover_source.wish set name = 'orders', phase = 'live'`)
    await untilValue('live')
    await admin.query('truncate cutover_source.wish')
    await untilUnavailable()
    await admin.query(`insert into cutover_source.wish values ('others', 'new'), ('orders', 'shadow')`)
    await untilValue('shadow')
    await admin.query('delete from cutover_source.wish')
    await untilUnavailable()
  })

  it('are heard by the poll in a table that announces nothing, whatever it is called', async () => {
    const table = '"odd.schema"."w""i.sh"'
    await admin.query(`drop schema if exists "odd.schema" cascade; create schema "odd.schema"`)
    await admin.query(`create table ${table} (name varchar primary key, phase varchar)`)
    await say('old', table)
    await watched({ table, pollMillis: 10 })
    await untilValue('old')
    await say('live', table)
    await untilValue('live')
  })

  it('are heard by a notification in a table of another name', async () => {
    const table = `public."${'long'.repeat(15)}"`
    await admin.query(postgresSourceSql(table))
    await say('old', table)
    await watched({ table, ...NEVER_POLLED })
    await untilValue('old')
    await say('live', table)
    await untilValue('live')
    await admin.query(`drop table ${table}`)
  })

  it('of any number during a read cause one more read', async () => {
    // A read takes its snapshot and then waits for the advisory lock.
    await admin.query(`alter table cutover_source.wish rename to wishes;
      create view cutover_source.wish as
        with open as materialized (select pg_advisory_xact_lock_shared(7))
        select name, phase from cutover_source.wishes, open`)
    await watched()
    await untilValue('old')
    const before = reads()
    await admin.query('select pg_advisory_lock(7)')
    await admin.query(ANNOUNCE)
    await untilActive()
    await say('mirror', 'cutover_source.wishes')
    for (let times = 0; times < 100; times++) await admin.query(`${ANNOUNCE}, '${times}'`)
    await admin.query('select pg_advisory_unlock(7)')
    await untilValue('mirror')
    expect(reads() - before).toBe(2)
  })

  const ANNOUNCE = 'notify "pg-cutover cutover_source.wish"'
  const reads = (): number =>
    readFileSync(server.logFile, 'utf8').split('select phase::text as phase from cutover_source').length
})

describe('the table', () => {
  it('is made by SQL that may be run again', async () => {
    await watched()
    await untilValue('old')
    await admin.query(postgresSourceSql())
    await say('mirror')
    await untilValue('mirror')
    expect(kinds()).toEqual(['old', 'mirror'])
  })

  it('is in no scope of a migration, so that the fence and the mirror leave it alone', async () => {
    await admin.query('create table if not exists public.ledger (id int primary key)')
    const control = controlConnection({ side: 'old', config: { connectionString: server.url() } })
    const scope = await readScope(control.run, undefined)
    await control.close()
    const names = scope.map(({ schema, name }) => `${schema}.${name}`)
    expect(names).toContain('public.ledger')
    expect(names.filter((name) => name.startsWith('cutover_source.'))).toEqual([])
  })

  it.each([
    ['no table', 'drop schema cutover_source cascade', 'does not exist', 'old'],
    ['no row', 'delete from cutover_source.wish', 'has no row for "orders"', undefined],
  ])('%s: says what to run, and what it says works', async (_, fault, complaint, missing) => {
    await admin.query(fault)
    await watched({ pollMillis: 10 })
    const reason = await untilUnavailable()
    expect(reason).toContain(complaint)
    await admin.query(/(?:run|least): (.*)$/.exec(reason)?.[1] ?? 'the reason names no SQL')
    if (missing) await say(missing)
    await untilValue('old')
  })

  it.each([
    [
      'another column',
      'alter table cutover_source.wish rename phase to stage',
      /column "phase" does not exist; run/,
    ],
    [
      'two rows of one name',
      `alter table cutover_source.wish drop constraint wish_pkey; insert into cutover_source.wish values ('orders', 'new')`,
      /several rows for "orders"; make "name" its primary key/,
    ],
    [
      'a lock that is not given back',
      'begin; lock table cutover_source.wish in access exclusive mode',
      /canceling statement due to statement timeout/,
    ],
  ])('%s: is unavailable', async (_, fault, complaint) => {
    await admin.query(fault)
    await watched({ pollMillis: 10, connectTimeoutMillis: 500 })
    expect(await untilUnavailable()).toMatch(complaint)
    await admin.query('rollback')
  })

  it('no privilege: says which to grant', async () => {
    await admin.query(`create role reader login password 'reader'`)
    const { port } = server
    const reader = { host: '127.0.0.1', port, user: 'reader', password: 'reader', database: 'postgres' }
    await watched({ pollMillis: 10 }, reader)
    const reason = await untilUnavailable()
    expect(reason).toContain('permission denied')
    await admin.query((/run: (.*)$/.exec(reason)?.[1] ?? '').replaceAll('<role>', 'reader'))
    await untilValue('old')
    await heard?.source.close()
    await admin.query('drop owned by reader; drop role reader')
  })

  it('is read in a session that can write nothing, and shows whose it is', async () => {
    await admin.query(`alter table cutover_source.wish rename to wishes;
      create function cutover_source.touch() returns text language sql as
        $$ update cutover_source.wishes set phase = 'new' returning phase $$;
      create view cutover_source.wish as select 'orders' as name, cutover_source.touch() as phase`)
    await watched()
    expect(await untilUnavailable()).toContain('cannot execute UPDATE in a read-only transaction')
    expect(await sessions()).toHaveLength(1)
  })
})

describe('outages', () => {
  it('the server restarted: is unavailable once, says where and why, and follows again', async () => {
    await watched()
    await untilValue('old')
    await server.stop()
    const reason = await untilUnavailable()
    expect(reason).toMatch(
      new RegExp(`^127\\.0\\.0\\.1:${server.port}/postgres: (connect ECONNREFUSED|the database system)`),
    )
    await server.start()
    await connectAdmin()
    await untilValue('old')
    await say('live')
    await untilValue('live')
    expect(kinds()).toEqual(['old', 'unavailable', 'old', 'live'])
  })

  it('the connection cut while the server is well: is back at once, listens, and has nothing to say', async () => {
    await watched(NEVER_POLLED, proxy.url(server.url()))
    await untilValue('old')
    const [before] = await sessions()
    proxy.cut()
    // Said while nobody listens: it is read when the connection is back.
    await say('mirror')
    await untilValue('mirror')
    await say('live')
    await untilValue('live')
    const [after] = await sessions()
    expect(after?.['pid']).not.toBe(before?.['pid'])
    expect(kinds()).toEqual(['old', 'mirror', 'live'])
  })

  it('its backend terminated by an operator, at rest and in a read: is back at once', async () => {
    const terminate = `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pg-cutover source'`
    await watched({ pollMillis: 10 })
    await untilValue('old')
    await admin.query(terminate)
    await say('mirror')
    await untilValue('mirror')
    await admin.query('begin; lock table cutover_source.wish in access exclusive mode')
    await untilActive()
    await admin.query(terminate)
    await say('live')
    await admin.query('commit')
    await untilValue('live')
    expect(kinds()).toEqual(['old', 'mirror', 'live'])
  })

  it('a line that has gone silent: is noticed, thrown away, and replaced by a new one', async () => {
    await watched({ pollMillis: 20, connectTimeoutMillis: 400 }, proxy.url(server.url()))
    await untilValue('old')
    proxy.stall()
    expect(await untilUnavailable()).toContain(`${proxy.port}/postgres: no answer within 400 ms`)
    await say('live')
    await proxy.resume()
    await untilValue('live')
    expect(kinds()).toEqual(['old', 'unavailable', 'live'])
  })

  it('a process that is busy for longer than it waits: reads the answer that has come', async () => {
    await watched({ pollMillis: 10, connectTimeoutMillis: 300 })
    await untilValue('old')
    await admin.query('begin; lock table cutover_source.wish in access exclusive mode')
    await untilActive()
    const before = kinds().length
    const committed = admin.query('commit')
    const idleAgain = performance.now() + 350
    while (performance.now() < idleAgain);
    await committed
    await say('live')
    await untilValue('live')
    expect(kinds().slice(before)).toEqual(['live'])
  })

  it('one reason after the other: is unavailable once', async () => {
    await admin.query(`create role reader login password 'reader'; grant pg_read_all_data to reader`)
    const url = new URL(proxy.url(server.url()))
    url.username = url.password = 'reader'
    await watched({ pollMillis: 20, connectTimeoutMillis: 400 }, url.href)
    await untilValue('old')
    proxy.stall()
    expect(await untilUnavailable()).toContain('no answer within 400 ms')
    await admin.query(`alter role reader password 'another'`)
    await proxy.resume()
    const refused = (): number =>
      readFileSync(server.logFile, 'utf8').split('failed for user "reader"').length
    const before = refused()
    while (refused() < before + 2) await admin.query('select')
    await admin.query(`alter role reader password 'reader'`)
    await untilValue('old')
    expect(kinds()).toEqual(['old', 'unavailable', 'old'])
    await heard?.source.close()
    await admin.query('drop owned by reader; drop role reader')
  })

  it('a wrong password: says so without it', async () => {
    const url = server.url().replace(server.password, 'hunter2')
    const { source } = await watched(NEVER_POLLED, url)
    const reason = await untilUnavailable()
    expect(reason).toBe(
      `127.0.0.1:${server.port}/postgres: password authentication failed for user "postgres"`,
    )
    expect(source.name).toBe(`postgres 127.0.0.1:${server.port}/postgres cutover_source.wish`)
    expect(inspect([source, reason], { depth: 10, showHidden: true })).not.toContain('hunter2')
  })

  it('no server at all, of several addresses: says why', async () => {
    await proxy.refuse()
    await watched(NEVER_POLLED, `postgres://postgres@localhost:${proxy.port}/postgres`)
    expect(await untilUnavailable()).toMatch(/^localhost:\d+\/postgres: .*ECONNREFUSED/)
    await proxy.resume()
  })
})

describe('a migration', () => {
  it('goes there and back by the row on the side that is left, which the fence lets be written', async () => {
    const databases = await freshDatabases()
    const old = new Client(databases.old)
    const created = new Client(databases.new)
    for (const client of [old, created]) {
      await client.connect()
      await client.query('create table public.ledger (id int primary key)')
    }
    await old.query(`${postgresSourceSql()}; insert into cutover_source.wish values ('orders', 'old')`)
    const cutover = createCutover({
      ...MIGRATION,
      old: { connectionString: databases.old },
      new: { connectionString: databases.new },
      source: postgresSource(databases.old, NEVER_POLLED),
      control: true,
      mirror: 'none',
      autoAdvance: true,
    })
    await cutover.ready()
    const wish = async (phase: string): Promise<void> => {
      const arrived = once(cutover, 'phase', { signal: AbortSignal.timeout(20_000) })
      await old.query('update cutover_source.wish set phase = $1', [phase])
      expect(await arrived).toMatchObject([{ to: phase }])
    }
    await wish('new')
    await expect(old.query('insert into public.ledger values (1)')).rejects.toMatchObject({ code: '25006' })
    await wish('old')
    await old.query('insert into public.ledger values (1)')
    await cutover.end()
    for (const client of [old, created]) await client.end()
    await databases.drop()
  })
})

describe('lifetime', () => {
  it.each(['to-client', 'both'] as const)(
    'ends at once in the middle of a connect, stalled %s',
    async (way) => {
      proxy.stall(way)
      const { source, reports } = await watched(NEVER_POLLED, proxy.url(server.url()))
      const started = performance.now()
      await Promise.all([source.close(), source.close()])
      expect(performance.now() - started).toBeLessThan(1_000)
      expect(reports).toEqual([])
      proxy.cut()
      await proxy.resume()
    },
  )

  it('ends at once in the middle of a read and of a pause', async () => {
    await admin.query('begin; lock table cutover_source.wish in access exclusive mode')
    const reading = await watched()
    await untilActive()
    await reading.source.close()
    await admin.query('commit')
    const pausing = await watched(NEVER_POLLED, server.url().replace(server.password, 'wrong'))
    await untilUnavailable()
    let closed = false
    void Promise.resolve(pausing.source.close()).then(() => (closed = true))
    // In the turns that a socket needs to close, and sooner than any timer.
    for (let turns = 0; turns < 3; turns++) await new Promise((resolve) => setImmediate(resolve))
    expect(closed).toBe(true)
    expect(reading.reports).toEqual([])
    expect(pausing.reports).toHaveLength(1)
  })

  it('speaks for one migration at a time, and may be watched again after close', async () => {
    const { source, report } = await watched()
    expect(() => source.watch(report, MIGRATION)).toThrow(/watched already; make one for each migration/)
    await untilValue('old')
    await source.close()
    await source.watch(report, { name: 'others' })
    expect(await untilUnavailable()).toContain('no row for "others"')
  })

  it('keeps no process alive, and works for as long as one lives', async () => {
    const index = JSON.stringify(compiled(join(import.meta.dirname, '../../src/index.ts')))
    const script = `import { postgresSource } from ${index}
      const alive = setInterval(() => {}, 1_000)
      postgresSource(${JSON.stringify(server.url())}).watch((report) => {
        console.log(report.value)
        clearInterval(alive)
      }, { name: 'orders' })`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      timeout: 20_000,
    })
    expect(stdout).toBe('old\n')
  })
})
