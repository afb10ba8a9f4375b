// What a role needs to mirror by dual-write: each GRANT that preflight names is enough, and so is the plain way without the last one.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { controlConnection } from '../../../src/control/control-connection.js'
import type { ControlConnection, Run } from '../../../src/control/control-connection.js'
import type { Migration } from '../../../src/control/migration.js'
import { recordTable } from '../../../src/control/names.js'
import { DUAL_WRITE_VERSION, ensureControlSchema } from '../../../src/control/schema.js'
import { insertMirror, insertWriter } from '../../../src/control/side-row.js'
import { ensureStandingTriggers } from '../../../src/coordinator/fence-triggers.js'
import { preflight } from '../../../src/coordinator/preflight.js'
import type { Finding } from '../../../src/coordinator/preflight.js'
import { installCapture } from '../../../src/dual-write/capture.js'
import { RelayMember } from '../../../src/dual-write/relay-member.js'
import { relayWay } from '../../../src/dual-write/way.js'
import { otherSide } from '../../../src/phase/phases.js'
import type { Side } from '../../../src/phase/phases.js'
import { fixture, migrationBetween, one, until } from '../mirror/fixture.js'
import type { Fixture } from '../mirror/fixture.js'
import { seen } from './planted.js'

const SECRET = 'geheimes-wort'
const SIDES = ['old', 'new'] as const

const errorsOf = (found: readonly Finding[]) => found.filter(({ severity }) => severity === 'error').map(seen)

let f: Fixture
/** Owns the tables and is the application; the other one relays. */
let app: string
let relay: string

beforeAll(async () => {
  f = await fixture({ prepared: false })
  app = `app_${f.m.name}`
  relay = `relay_${f.m.name}`
  await f.both(`create role ${app} login password '${SECRET}'; create role ${relay} login password '${SECRET}';
    create schema shop authorization ${app}; create sequence shop.loose;
    create table shop.item (id int generated always as identity primary key, note text);
    create table shop.part (id int primary key, item int constraint of_item references shop.item);
    alter table shop.item owner to ${app}; alter table shop.part owner to ${app}`)
})
afterAll(async () => {
  for (const role of [relay, app]) await f.both(`drop owned by ${role} cascade; drop role ${role}`)
  await f.drop()
})

const as = (role: string, side: Side): ControlConnection =>
  controlConnection({
    side,
    config: { connectionString: f.urls[side].replace(/\/\/[^@]+@/, `//${role}:${SECRET}@`) },
  })

async function asRelay<T>(work: (m: Migration) => Promise<T>): Promise<T> {
  const control = { old: as(relay, 'old'), new: as(relay, 'new') }
  try {
    return await work(migrationBetween(f.m.name, control, f.urls, { dualWrite: {} }))
  } finally {
    await Promise.all([control.old.close(), control.new.close()])
  }
}

const look = (poolRoles?: Migration['poolRoles']): Promise<Finding[]> =>
  asRelay((m) => preflight({ ...m, ...(poolRoles && { poolRoles }) }, 'old', 'mirror'))

const both = (text: string): Promise<void> => f.both(text)

describe.sequential('a role', () => {
  it('is told every privilege that it lacks with the statement that grants it', async () => {
    const first = await look()
    const tables = 'shop.item, shop.part'
    for (const side of SIDES)
      for (const [code, object] of [
        ['privilege-schema', f.m.name],
        ['privilege-stats', 'pg_read_all_stats'],
        ['privilege-tables', tables],
        ['privilege-usage', 'shop'],
        ['privilege-sequences', 'shop.item_id_seq, shop.loose'],
        ['privilege-replica-role', tables],
      ])
        expect(first.map(seen)).toContainEqual({ code, severity: 'error', side, object })
    // Nothing of what replication alone needs.
    expect(errorsOf(first)).toHaveLength(12)
    const text = first.map(({ message }) => message).join('\n')
    expect(text).toContain('shop.part (foreign key of_item)')
    for (const { side, fix } of first) if (side) await f[side](fix)
    expect(await look()).toEqual([])
  })

  it('may be a replica by that grant alone', async () => {
    await asRelay((m) => mirrors(m, 'old', 'replica'))
  })

  it('is told what its owner may not do', async () => {
    await f.new(`revoke update, delete on shop.item from ${app}`)
    const [found] = await look()
    expect(found).toMatchObject({ code: 'privilege-rows', side: 'new', object: 'shop.item' })
    await f.new(found?.fix ?? '')
    expect(await look()).toEqual([])
    await f.new(`grant update, delete on shop.item to ${app}`)
  })

  it('goes the plain way where no table acts by itself, and only as nobody else', async () => {
    await both(`revoke set on parameter session_replication_role from ${relay}`)
    await f.new(`alter table shop.part drop constraint of_item`)
    // The way back is not open yet.
    expect((await look()).map(seen)).toMatchObject([
      { code: 'privilege-replica-role', side: 'old' },
      { code: 'foreign-key-differs', severity: 'warning', side: 'new', object: 'of_item on shop.part' },
      { code: 'plain-way', severity: 'warning', side: 'new', object: relay },
    ])
    await f.old(`alter table shop.part drop constraint of_item`)
    expect(errorsOf(await look({ old: app, new: app }))).toEqual([])
    expect(errorsOf(await look({ old: app, new: relay }))).toEqual([
      { code: 'relay-role', severity: 'error', side: 'new', object: relay },
    ])
  })

  it('does not go it over a table that acts by itself', async () => {
    await f.new(`create function shop.stamp() returns trigger language plpgsql as 'begin return new; end';
      create trigger stamp before insert on shop.item for each row execute function shop.stamp();
      create trigger still before insert on shop.item for each row execute function shop.stamp();
      alter table shop.item disable trigger still;
      alter table shop.item add constraint apart exclude (id with =);
      create unique index again on shop.item (note);
      create rule hear as on delete to shop.item do also nothing`)
    const found = (await look()).find(({ code }) => code === 'privilege-replica-role')
    expect(found).toMatchObject({ side: 'new', object: 'shop.item' })
    expect(found?.message).toContain(
      'shop.item (trigger stamp, exclusion constraint, second unique key, rule hear)',
    )
    await f.new(`drop function shop.stamp cascade; alter table shop.item drop constraint apart;
      drop index shop.again; drop rule hear on shop.item`)
  })

  it.each<readonly [Side]>([['old'], ['new']])(
    'mirrors the plain way what the %s side writes',
    async (from) => {
      await asRelay((m) => mirrors(m, from, 'plain'))
    },
  )
})

/** The whole mirror by this role, from a fresh control schema on. */
async function mirrors(m: Migration, from: Side, way: 'replica' | 'plain'): Promise<void> {
  const to = otherSide(from)
  await both('drop schema if exists cutover cascade; truncate shop.item, shop.part')
  for (const side of SIDES) await ensureControlSchema(m.control[side], DUAL_WRITE_VERSION)
  await insertWriter(m.control[from], m.name, 'old')
  await insertMirror(m.control[to], m.name)
  const deadline = performance.now() + 10_000
  for (const side of SIDES) {
    expect(await relayWay(m.control[side].run, m, side)).toBe(way)
    expect(await one(m.control[side].run, `current_setting('session_replication_role')`)).toBe('origin')
  }
  expect(await one(f[to], `select relay_role from cutover.side`)).toBe(way === 'plain' ? relay : null)
  await ensureStandingTriggers(m, to, deadline)
  await installCapture(m, to, deadline)
  await installCapture(m, from, deadline)
  const member = new RelayMember(m, from)
  const clients = { from: as(app, from), to: as(app, to) }
  try {
    member.start()
    await clients.from.run(`insert into shop.item (note) values ('kept'), ('gone'), ('changed')`)
    await clients.from.run(`delete from shop.item where note = 'gone'`)
    await clients.from.run(`update shop.item set note = note || '!'`)
    const kept = `(select array_agg(note order by id) from shop.item) = '{kept!,changed!}'`
    await until(f[to], kept)
    await refuses(clients.to.run)
    await refuses(f[to])
    // Not even who takes its role: it is known by whom it has connected as.
    await refuses((text) => f[to](`set role ${relay}; ${text}`))
    await f[to](`reset role`)
    expect(await one(f[to], `select count(*)::int from cutover.${recordTable(m.name)}`)).toBe(0)
    // As soon as the side takes writes, what this role does there is recorded as well.
    await f[to](`update cutover.side set status = 'writer', epoch = 1, opened = 1`)
    await m.control[to].run(`delete from shop.item where note = 'kept!'`)
    expect(await one(f[to], `select count(*)::int from cutover.${recordTable(m.name)}`)).toBe(1)
  } finally {
    await Promise.all([member.close(), clients.from.close(), clients.to.close()])
  }
}

async function refuses(run: (text: string) => ReturnType<Run>): Promise<void> {
  await expect(run(`update shop.item set note = 'wrong'`)).rejects.toMatchObject({
    message: expect.stringContaining('pg-cutover fence') as unknown,
  })
}
