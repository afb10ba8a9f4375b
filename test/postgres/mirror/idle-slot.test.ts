// A role without any right over slots keeps the idle one of its migration from pinning WAL, and can do nothing else by it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { controlConnection, type ControlConnection } from '../../../src/control/control-connection.js'
import { memberGrants, missingMemberGrants } from '../../../src/control/grants.js'
import type { Migration } from '../../../src/control/migration.js'
import { streamName } from '../../../src/control/names.js'
import { ensureControlSchema } from '../../../src/control/schema.js'
import { createForward, createReverse, housekeeping } from '../../../src/mirror/replication.js'
import { fixture, one, type Fixture } from './fixture.js'

let f: Fixture
let role: string
let asRole: Record<'old' | 'new', ControlConnection>
let m: Migration

beforeAll(async () => {
  f = await fixture({ schema: 'create table public.item (id int primary key, note text)' })
  role = `member_${f.m.name}`
  await f.both(`create role ${role} login password 'member'`)
  const connect = (side: 'old' | 'new'): ControlConnection => {
    const url = new URL(f.urls[side])
    url.username = role
    url.password = 'member'
    return controlConnection({ side, config: { connectionString: url.href } })
  }
  asRole = { old: connect('old'), new: connect('new') }
  m = { ...f.m, control: asRole }
  await createForward(f.m, 'old', f.onProgress)
  await createReverse(f.m, 'new')
})

afterAll(async () => {
  await Promise.all([asRole.old.close(), asRole.new.close()])
  await f.both(`drop owned by ${role}; drop role ${role}`)
  await f.drop()
})

const slotAt = (): Promise<string> =>
  one<string>(f.new, `select confirmed_flush_lsn::text from pg_replication_slots where slot_name = $1`, [
    streamName(f.m.name, 'new'),
  ])

/** How far the slot was moved by this work, while the server's log grew. */
async function moved(work: () => Promise<unknown>): Promise<number> {
  await f.new(`select pg_logical_emit_message(true, 'wal', repeat('x', 1000))`)
  const before = await slotAt()
  await work()
  return Number(await one(f.new, `$1::pg_lsn - $2::pg_lsn`, [await slotAt(), before]))
}

const call = (name: string, seen: string): Promise<unknown> =>
  asRole.new.run(`select cutover.advance_idle_slot($1, $2)`, [name, seen])

describe.sequential('a member without rights over slots', () => {
  it('is refused without the grants, and misses none once it has them', async () => {
    for (const grant of memberGrants(role).slice(0, -1)) await f.both(grant)
    await expect(call(f.m.name, '0 mirror')).rejects.toMatchObject({ code: '42501' })
    await expect(housekeeping(m)).rejects.toMatchObject({ code: '42501' })
    const missing = await missingMemberGrants(f.new, role)
    expect(missing).toEqual(memberGrants(role).slice(-1))
    for (const grant of missing) await f.both(grant)
    expect(await missingMemberGrants(f.new, role)).toEqual([])
  })

  it('moves the idle slot forward', async () => {
    expect(await moved(() => housekeeping(m))).toBeGreaterThan(1_000)
  })

  it('moves nothing of a row that is another one by now, of another migration, or with an old snapshot', async () => {
    expect(await moved(() => call(f.m.name, '0 moved'))).toBe(0)
    expect(await moved(() => call(f.m.name, '1 mirror'))).toBe(0)
    // As good a row, and not the one of the slot.
    await f.new(`insert into cutover.side (name, identity, epoch, status, opened)
      values ('another', 'new', 0, 'mirror', -1)`)
    expect(await moved(() => call('another', '0 mirror'))).toBe(0)
    const kept = asRole.new.transaction(async (run) => {
      await run('set transaction isolation level repeatable read')
      await run(`select cutover.advance_idle_slot($1, '0 mirror')`, [f.m.name])
    })
    await expect(kept).rejects.toMatchObject({ code: '25001' })
  })

  it('moves not a byte once the side takes writes, whatever it says that it has seen', async () => {
    await f.new(`update cutover.side set status = 'writer', epoch = 1, opened = 1 where name = $1`, [
      f.m.name,
    ])
    for (const seen of ['0 mirror', '1 mirror', '1 writer', '1 moved'])
      expect(await moved(() => call(f.m.name, seen))).toBe(0)
    expect(await moved(() => housekeeping(m))).toBe(0)
    await f.new(`update cutover.side set status = 'mirror', epoch = 0, opened = 0 where name = $1`, [
      f.m.name,
    ])
  })

  it('is not fooled by what a session puts before the catalogs', async () => {
    const fooled = asRole.new.fork({
      session: `create temp table pg_replication_slots as select slot_name, 'x'::name as plugin from pg_catalog.pg_replication_slots;
        create temp table side (name text); set search_path = pg_temp, public`,
    })
    try {
      expect(
        await moved(() => fooled.run(`select cutover.advance_idle_slot($1, '0 mirror')`, [f.m.name])),
      ).toBeGreaterThan(1_000)
    } finally {
      await fooled.close()
    }
  })

  it('needs an owner of the function who may', async () => {
    const owner = await one<string>(f.new, `current_user::text`)
    await f.new(`alter function cutover.advance_idle_slot owner to ${role}`)
    await expect(housekeeping(m)).rejects.toMatchObject({ code: '42501' })
    await f.new(`alter function cutover.advance_idle_slot owner to ${owner}`)
  })
})

it('derives the name of the slot as the library does', async () => {
  const names = ['orders', 'Orders', 'a.b-c:d', 'x'.repeat(24), 'x'.repeat(25), `${'Y_'.repeat(31)}z`, 'i_9']
  const rows = await f.new<{ derived: string }>(
    `select cutover.stream_name(n, 'new') as derived from unnest($1::text[]) with ordinality as t(n, nr) order by nr`,
    [names],
  )
  expect(rows.map(({ derived }) => derived)).toEqual(names.map((name) => streamName(name, 'new')))
})

it('is made in a control schema of the version before, and found as it is by whoever comes second', async () => {
  await f.old(`update cutover.version set version = 4; drop function cutover.advance_idle_slot`)
  const second = f.m.control.old.fork()
  await Promise.all([ensureControlSchema(f.m.control.old), ensureControlSchema(second)])
  await second.close()
  expect(await one(f.old, `(select version from cutover.version)`)).toBe(5)
  expect(await missingMemberGrants(f.old, role)).toEqual(memberGrants(role).slice(-1))
})
