// What preflight says of servers that are out of reach, too small, or let the role do too little; and that each GRANT it names is enough.
import { inspect } from 'node:util'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { controlConnection } from '../../../src/control/control-connection.js'
import type { ControlConnection } from '../../../src/control/control-connection.js'
import type { Migration } from '../../../src/control/migration.js'
import { ensureControlSchema } from '../../../src/control/schema.js'
import { insertMirror, insertWriter } from '../../../src/control/side-row.js'
import { preflight } from '../../../src/coordinator/preflight.js'
import type { Finding } from '../../../src/coordinator/preflight.js'
import type { Context } from '../../../src/coordinator/preflight/check.js'
import { readFacts } from '../../../src/coordinator/preflight/facts.js'
import { versionFindings } from '../../../src/coordinator/preflight/first-look.js'
import { SERVER_CHECKS } from '../../../src/coordinator/preflight/server-checks.js'
import { setLogical, setServer } from '../../../src/coordinator/preflight/managed.js'
import {
  advanceOrigin,
  createForward,
  createReverse,
  dropStream,
  onceOriginIsFree,
} from '../../../src/mirror/replication.js'
import { presetSequences } from '../../../src/mirror/sequences.js'
import { startPair } from '../../support/servers.js'
import type { Pair } from '../../support/servers.js'
import { migrationBetween, one } from '../mirror/fixture.js'
import { seen } from './planted.js'

const SECRET = 'geheimes-wort'

const error = (code: string, side: string, object: unknown) => ({ code, severity: 'error', side, object })

async function withMigration<T>(
  urls: { readonly old: string; readonly new: string },
  work: (m: Migration) => Promise<T>,
  reachedBy = urls,
): Promise<T> {
  const control = {
    old: controlConnection({ side: 'old', config: { connectionString: urls.old } }),
    new: controlConnection({ side: 'new', config: { connectionString: urls.new } }),
  }
  try {
    return await work(migrationBetween('servers', control, reachedBy))
  } finally {
    await Promise.all([control.old.close(), control.new.close()])
  }
}

it('refuses servers that are too old to be asked', () => {
  expect(versionFindings('old', 130_021).map(seen)).toEqual([
    error('version-too-old', 'old', 'server_version'),
  ])
  expect(versionFindings('old', 140_000)).toEqual([])
})

it('refuses a standby, by what it says of itself', () => {
  const facts = { old: { standby: true }, new: { standby: false } }
  const context = { from: 'old', to: 'new', facts } as unknown as Context
  expect(SERVER_CHECKS.standby.find(context)).toMatchObject([{ side: 'old' }])
})

describe('of servers as they come', () => {
  let pair: Pair
  let admin: Record<'old' | 'new', ControlConnection>

  beforeAll(async () => {
    pair = await startPair({ seeds: inject('seeds') })
    admin = {
      old: controlConnection({ side: 'old', config: { connectionString: pair.old.url() } }),
      new: controlConnection({ side: 'new', config: { connectionString: pair.new.url() } }),
    }
    for (const { run } of Object.values(admin)) {
      await run(`create role app; create role meagre login password '${SECRET}'`)
      await run(`create schema shop authorization app`)
      await run(`create table shop.item (id serial primary key, note text)`)
      await run(`alter table shop.item owner to app`)
      await run(`create sequence shop.loose`)
    }
  })
  afterAll(async () => {
    await Promise.all(Object.values(admin).map((control) => control.close()))
    await pair.destroy()
  })

  it.each([
    ['the port', (url: string) => url.replace(/:\d+\//, ':1/')],
    ['the password', (url: string) => url.replace(/:[^:@]+@/, `:${SECRET}@`)],
    ['the user', (url: string) => url.replace('//postgres:', '//nobody:')],
    ['the database', (url: string) => url.replace(/\/postgres$/, '/nowhere')],
  ])('names the side whose URL has %s wrong', async (_, spoil) => {
    const urls = { old: pair.old.url(), new: spoil(pair.new.url()) }
    const found = await withMigration(urls, (m) => preflight(m, 'old', 'mirror'))
    expect(found.map(({ code, side }) => ({ code, side }))).toEqual([{ code: 'unreachable', side: 'new' }])
    expect(inspect(found)).not.toContain(SECRET)
    expect(inspect(found)).not.toContain(pair.new.password)
  })

  it('names both sides when neither answers', async () => {
    const urls = { old: 'postgres://u@127.0.0.1:1/d', new: 'postgres://u@127.0.0.1:1/e' }
    const found = await withMigration(urls, (m) => preflight(m, 'old', 'mirror'))
    expect(found.map(seen)).toEqual([
      error('unreachable', 'old', '127.0.0.1:1/d'),
      error('unreachable', 'new', '127.0.0.1:1/e'),
    ])
  })

  it('tells that a server does not reach the other, though this process reaches both', async () => {
    const urls = { old: pair.old.url(), new: pair.new.url() }
    const reachedBy = { ...urls, old: `host=127.0.0.1 port=1 user=u password='${SECRET}'` }
    const found = await withMigration(urls, (m) => preflight(m, 'old', 'mirror'), reachedBy)
    expect(found.map(({ code, side }) => ({ code, side }))).toEqual([
      { code: 'subscriber-cannot-connect', side: 'new' },
    ])
    expect(inspect(found)).not.toContain(SECRET)
    expect(await admin.new.run(`select from pg_subscription`)).toEqual([])
    expect(await admin.new.run(`select from pg_replication_origin`)).toEqual([])
  })

  it('names every missing privilege with the statement that grants it, and these are enough', async () => {
    const meagre = (url: string): string => url.replace(/\/\/postgres:[^@]+@/, `//meagre:${SECRET}@`)
    const urls = { old: meagre(pair.old.url()), new: meagre(pair.new.url()) }
    const look = (): Promise<Finding[]> => withMigration(urls, (m) => preflight(m, 'old', 'mirror'))
    const first = await look()
    for (const side of ['old', 'new'] as const) {
      for (const [code, object] of [
        ['privilege-schema', 'postgres'],
        ['privilege-replication', 'meagre'],
        ['privilege-subscription', 'meagre'],
        ['privilege-origin', 'pg_replication_origin_advance'],
        ['privilege-stats', 'pg_read_all_stats'],
        ['privilege-tables', 'shop.item'],
        ['privilege-usage', 'shop'],
        ['privilege-sequences', 'shop.item_id_seq, shop.loose'],
      ] as const)
        expect(first.map(seen)).toContainEqual(error(code, side, object))
    }
    expect(inspect(first)).not.toContain(SECRET)

    for (const { code, side, fix } of first)
      if (code.startsWith('privilege') && side) await admin[side].run(fix)
    expect((await look()).filter(({ severity }) => severity === 'error')).toEqual([])

    // Not only asked for, but enough: the whole mirror with this role.
    await admin.old.run(`insert into shop.item (note) values ('mirrored')`)
    await withMigration(urls, async (m) => {
      await Promise.all([ensureControlSchema(m.control.old), ensureControlSchema(m.control.new)])
      await insertWriter(m.control.old, m.name, 'old')
      await insertMirror(m.control.new, m.name)
      await createForward(m, 'old', () => {})
      await createReverse(m, 'new')
      await presetSequences(m, 'old')
      expect(await one(m.control.new.run, `select note from shop.item`)).toBe('mirrored')
      // The way back of a rollback moves the origin on the side where the role is no superuser.
      await m.control.new.run(`alter subscription cutover_servers_from_old disable`)
      await onceOriginIsFree(performance.now() + 10_000, () =>
        m.control.new.transaction((run) => advanceOrigin(m, 'old', '0/1', run)),
      )
      await dropStream(m, 'old')
      await dropStream(m, 'new')
      for (const side of ['old', 'new'] as const) await m.control[side].run(`drop schema cutover cascade`)
    })
  }, 60_000)

  it.each([
    ['rds', 'rds_superuser', /^grant rds_replication to/, /parameter group/, /rds\.logical_replication = 1/],
    [
      'cloudsql',
      'cloudsqladmin',
      /-- as a member of cloudsqlsuperuser$/,
      /^gcloud /,
      /cloudsql\.logical_decoding=on/,
    ],
    [
      'azure',
      'azure_pg_admin',
      /-- as the administrator/,
      /^az postgres /,
      /--name wal_level --value logical/,
    ],
    ['supabase', 'supabase_admin', /-- as the role postgres$/, /postgres-config update/, /wal_level=logical/],
    [
      'neon',
      'neon_superuser',
      /-- as a member of neon_superuser$/,
      /support of Neon/,
      /in the console of Neon/,
    ],
  ] as const)(
    'words what repairs it as it is done on %s',
    async (service, role, replication, set, logical) => {
      await admin.old.run(`create role ${role}; alter role meagre nosuperuser noreplication`)
      const urls = {
        old: pair.old.url().replace(/\/\/postgres:[^@]+@/, `//meagre:${SECRET}@`),
        new: pair.new.url(),
      }
      const found = await withMigration(urls, (m) => preflight(m, 'old', 'mirror'))
      const facts = await readFacts(admin.old.run, undefined)
      await admin.old.run(`drop role ${role}`)
      expect(facts.service).toBe(service)
      const fix = found.find(({ code, side }) => code === 'privilege-replication' && side === 'old')?.fix
      expect(fix).toMatch(replication)
      expect(setServer(facts, 'max_wal_senders', '20', 'restart the server')).toMatch(set)
      expect(setLogical(facts)).toMatch(logical)
      expect((await readFacts(admin.old.run, undefined)).service).toBe(null)
    },
  )

  it('finds a collation that was made with another version of the library', async () => {
    await admin.new
      .run(`create collation public.aged (provider = icu, locale = 'en'); create table public.told (name text collate public.aged);
      update pg_collation set collversion = '0' where collname = 'aged'`)
    const urls = { old: pair.old.url(), new: pair.new.url() }
    const found = await withMigration(urls, (m) => preflight(m, 'old', 'mirror'))
    await admin.new.run(`drop table public.told; drop collation public.aged`)
    expect(found.find(({ code }) => code === 'collation-stale')).toMatchObject({
      side: 'new',
      object: 'aged',
    })
  })

  it('finds that the role of the pool could be no member, with the grants that make it one', async () => {
    const urls = { old: pair.old.url(), new: pair.new.url() }
    const found = await withMigration(urls, async (m) => {
      await ensureControlSchema(m.control.old)
      await insertWriter(m.control.old, m.name, 'old')
      const withPool = { ...m, poolRoles: { old: 'app', new: undefined } }
      const first = await preflight(withPool, 'old', 'mirror')
      const lacking = first.filter(({ code }) => code === 'member-grants')
      for (const { fix } of lacking) await admin.old.run(fix)
      const left = (await preflight(withPool, 'old', 'mirror')).filter(({ code }) => code === 'member-grants')
      await admin.old.run(`drop schema cutover cascade`)
      return { lacking, left }
    })
    expect(found.lacking).toMatchObject([{ side: 'old', object: 'app', severity: 'warning' }])
    expect(found.left).toEqual([])
  })

  it('compares encodings and collations', async () => {
    await admin.old.run(`create database other template template0 encoding 'LATIN1' locale 'C'`)
    await admin.new.run(
      `create database other template template0 locale_provider builtin builtin_locale 'C.UTF-8'`,
    )
    const urls = { old: pair.old.url('other'), new: pair.new.url('other') }
    const found = await withMigration(urls, (m) => preflight(m, 'old', 'mirror'))
    expect(found.map(({ code, severity, object }) => ({ code, severity, object }))).toEqual([
      { code: 'encoding', severity: 'warning', object: undefined },
      { code: 'collation', severity: 'warning', object: 'provider' },
      { code: 'collation', severity: 'warning', object: 'locale' },
      { code: 'collation', severity: 'warning', object: 'collationVersion' },
    ])
  })

  it('compares nothing of an encoding that checks nothing', async () => {
    await admin.old.run(`create database ascii template template0 encoding 'SQL_ASCII' locale 'C'`)
    const urls = { old: pair.old.url('ascii'), new: pair.new.url('other') }
    const found = await withMigration(urls, (m) => preflight({ ...m, mirror: 'dual-write' }, 'old', 'mirror'))
    expect(found.map(seen)).toContainEqual({
      code: 'encoding-unknown',
      severity: 'warning',
      side: 'old',
      object: 'ascii',
    })
  })

  it('finds row security that would hide rows from the copy', async () => {
    await admin.new.run(`alter role meagre nosuperuser; grant app to meagre`)
    await admin.new.run(
      `alter table shop.item enable row level security; alter table shop.item force row level security`,
    )
    const url = pair.new.url().replace(/\/\/postgres:[^@]+@/, `//meagre:${SECRET}@`)
    const urls = { old: pair.old.url(), new: url }
    const found = await withMigration(urls, (m) => preflight(m, 'old', 'mirror'))
    expect(found.map(seen)).toContainEqual(error('row-security', 'new', 'shop.item'))
    const asSuperuser = { old: pair.old.url(), new: pair.new.url() }
    const others = await withMigration(asSuperuser, (m) => preflight(m, 'old', 'mirror'))
    expect(others.map(({ code }) => code)).not.toContain('row-security')
  })
})

describe('of servers that are set up too small', () => {
  let pair: Pair

  beforeAll(async () => {
    pair = await startPair({
      seeds: inject('seeds'),
      settings: {
        wal_level: 'replica',
        max_replication_slots: '0',
        max_wal_senders: '0',
        max_logical_replication_workers: '0',
        max_worker_processes: '1',
        max_sync_workers_per_subscription: '0',
        max_slot_wal_keep_size: '1GB',
      },
    })
  })
  afterAll(() => pair.destroy())

  it('names each setting', async () => {
    const urls = { old: pair.old.url(), new: pair.new.url() }
    const found = (await withMigration(urls, (m) => preflight(m, 'old', 'mirror'))).map(seen)
    for (const side of ['old', 'new'] as const) {
      for (const [code, object] of [
        ['wal-level', 'wal_level'],
        ['replication-slots', 'max_replication_slots'],
        ['wal-senders', 'max_wal_senders'],
        ['replication-workers', 'max_logical_replication_workers'],
        ['replication-workers', 'max_worker_processes'],
      ] as const)
        expect(found).toContainEqual(error(code, side, object))
      expect(found).toContainEqual({
        code: 'slot-limits',
        severity: 'warning',
        side,
        object: 'max_slot_wal_keep_size',
      })
    }
    expect(found).toContainEqual(error('sync-workers', 'new', 'max_sync_workers_per_subscription'))
    expect(found).toContainEqual(error('replication-origins', 'old', 'max_replication_slots'))
  })

  it('asks for none of it where there is no mirror', async () => {
    const urls = { old: pair.old.url(), new: pair.new.url() }
    expect(await withMigration(urls, (m) => preflight({ ...m, mirror: 'none' }, 'old', 'mirror'))).toEqual([])
  })
})
