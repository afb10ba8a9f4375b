// The way back: made disabled beside the forward stream, opened at one position, never moved backwards.
import { afterEach, expect, it } from 'vitest'
import {
  advanceOrigin,
  createForward,
  createReverse,
  disableStream,
  enableStream,
  housekeeping,
  streamHealth,
  workerGone,
} from '../../../src/mirror/replication.js'
import { sentinelTable, streamName } from '../../../src/control/names.js'
import { fixture, one, until } from './fixture.js'
import type { Fixture } from './fixture.js'

const SCHEMA = `create table public.item (id int primary key, note text);
  create table public.event (id int, at int, primary key (id, at)) partition by range (at);
  create table public.event_1 partition of public.event for values from (0) to (10);`

let f: Fixture
afterEach(() => f.drop())

async function mirrored(): Promise<void> {
  f = await fixture({ schema: SCHEMA })
  await f.old(`insert into public.item select g, 'old' from generate_series(1, 50) g`)
  await createForward(f.m, 'old', f.onProgress)
  await createReverse(f.m, 'new')
}

/** The statements of the cutover that matter to the streams; returns the position P. */
async function moveToNew(): Promise<string> {
  const sentinel = `cutover.${sentinelTable(f.m.name, 'old')}`
  await f.old(`update cutover.side set epoch = 1, status = 'fenced'`)
  await f.old(`update ${sentinel} set epoch = 1`)
  await until(f.new, `select epoch = 1 from ${sentinel}`)
  const position = await one<string>(f.new, `pg_current_wal_insert_lsn()::text`)
  await f.old(`update cutover.side set status = 'moved', reverse_lsn = $1`, [position])
  await f.new(`update cutover.side set status = 'writer', epoch = 1, opened = 1`)
  return position
}

async function reverse(position: string): Promise<void> {
  await f.m.control.new.transaction((run) => disableStream(f.m, 'old', run))
  await workerGone(f.m, 'old', 10_000)
  await f.m.control.old.transaction(async (run) => {
    await advanceOrigin(f.m, 'new', position, run)
    await enableStream(f.m, 'new', run)
  })
}

const originOf = (): Promise<string | null> =>
  one<string | null>(
    f.old,
    `select pg_replication_origin_progress('pg_' || oid, true)::text from pg_subscription where subname = $1`,
    [streamName(f.m.name, 'new')],
  )

it('is made disabled with every table ready, and again without a change', async () => {
  await mirrored()
  const idle = { exists: true, enabled: false, tablesReady: 3, tablesTotal: 3, applyErrors: 0 }
  expect(await streamHealth(f.m, 'new')).toMatchObject(idle)
  const oid = `select oid from pg_subscription where subname = $1`
  const before = await one(f.old, oid, [streamName(f.m.name, 'new')])
  await createReverse(f.m, 'new')
  expect(await one(f.old, oid, [streamName(f.m.name, 'new')])).toBe(before)
})

it('takes a partition made since, although a disabled subscription cannot be refreshed', async () => {
  await mirrored()
  await f.both(`create table public.event_2 partition of public.event for values from (10) to (20)`)
  await createForward(f.m, 'old', f.onProgress)
  await createReverse(f.m, 'new')
  expect(await streamHealth(f.m, 'new')).toMatchObject({ enabled: false, tablesReady: 4, tablesTotal: 4 })
})

it('carries exactly the rows of the opened side back: none twice, none from before, none lost', async () => {
  await mirrored()
  // Both reach the slot of the way back, where applying them again would fail or undo.
  await f.old(`update public.item set note = 'changed before the fence'`)
  await f.old(`insert into public.item values (60, 'from old')`)
  const position = await moveToNew()
  await f.new(
    `insert into public.item values (100, 'new'); update public.item set note = 'on new' where id = 1`,
  )
  await reverse(position)
  await f.new(`insert into public.event values (1, 5)`)
  const sentinel = `cutover.${sentinelTable(f.m.name, 'new')}`
  await f.new(`update ${sentinel} set epoch = 2`)
  await until(f.old, `select epoch = 2 from ${sentinel}`)
  for (const run of [f.old, f.new]) {
    expect(await one(run, `select count(*)::int from public.item`)).toBe(52)
    expect(await run(`select id, note from public.item where id in (1, 2, 100) order by 1`)).toEqual([
      { id: 1, note: 'on new' },
      { id: 2, note: 'changed before the fence' },
      { id: 100, note: 'new' },
    ])
    expect(await one(run, `select count(*)::int from public.event`)).toBe(1)
  }
  expect(await streamHealth(f.m, 'new')).toMatchObject({ enabled: true, applyErrors: 0 })
  expect(await streamHealth(f.m, 'old')).toMatchObject({ enabled: false, applyErrors: 0 })
})

it('needs the forward stream first, and the right rows on both sides', async () => {
  f = await fixture({ schema: SCHEMA })
  await expect(createReverse(f.m, 'new')).rejects.toMatchObject({ code: 'ERR_PREPARE' })
  await createForward(f.m, 'old', f.onProgress)
  await f.old(`update cutover.side set status = 'fenced', epoch = 1`)
  await expect(createReverse(f.m, 'new')).rejects.toMatchObject({ code: 'ERR_RIVAL' })
  expect(await streamHealth(f.m, 'new')).toMatchObject({ exists: false })
})

it('moves an origin forward only, and only while the stream is disabled', async () => {
  await mirrored()
  const move = (lsn: string): Promise<void> =>
    f.m.control.old.transaction((run) => advanceOrigin(f.m, 'new', lsn, run))
  expect(await originOf()).toBeNull()
  const first = await one<string>(f.new, `pg_current_wal_insert_lsn()::text`)
  await move(first)
  expect(await originOf()).toBe(first)
  await move('0/1')
  expect(await originOf()).toBe(first)
  await f.m.control.old.transaction((run) => enableStream(f.m, 'new', run))
  await move('FFFF/0')
  expect(await originOf()).not.toBe('FFFF/0')
})

it('says which worker still runs when its time is over', async () => {
  await mirrored()
  await expect(workerGone(f.m, 'old', 50)).rejects.toMatchObject({ code: 'ERR_REVERSE' })
})

const confirmed = (at: string): Promise<string> =>
  one<string>(f.new, `select confirmed_flush_lsn::text from pg_replication_slots where slot_name = $1`, [at])

it('moves the idle slot forward on a timer while its side does not write, and not a byte once it does', async () => {
  await mirrored()
  const slot = streamName(f.m.name, 'new')
  const made = await confirmed(slot)
  await f.new(`select pg_logical_emit_message(true, 'wal', repeat('x', 1000))`)
  await housekeeping(f.m)
  const advanced = await confirmed(slot)
  expect(await one(f.new, `$1::pg_lsn > $2::pg_lsn`, [advanced, made])).toBe(true)

  const position = await moveToNew()
  await f.new(`insert into public.item values (100, 'must come back')`)
  await housekeeping(f.m)
  expect(await confirmed(slot)).toBe(advanced)
  await f.new(`update cutover.side set status = 'fenced', epoch = 2`)
  await housekeeping(f.m)
  expect(await confirmed(slot)).toBe(advanced)
  await f.new(`update cutover.side set status = 'writer'`)

  await reverse(position)
  await until(f.old, `select count(*) = 1 from public.item where id = 100`)
})

it('leaves the slot of the side that was left until its subscription is disabled, then moves it too', async () => {
  await mirrored()
  const slot = streamName(f.m.name, 'old')
  const flushed = (): Promise<string> =>
    one<string>(f.old, `select confirmed_flush_lsn::text from pg_replication_slots where slot_name = $1`, [
      slot,
    ])
  await moveToNew()
  await f.m.control.new.transaction((run) => disableStream(f.m, 'old', run))
  await until(f.old, `select not active from pg_replication_slots where slot_name = $1`, [slot])
  // An enabled subscription whose worker is away for a moment: its slot may hold what a crashed subscriber asks for again.
  await f.new(`alter subscription ${slot} connection 'host=127.0.0.1 port=1'`)
  await f.new(`alter subscription ${slot} enable`)
  const before = await flushed()
  await f.old(`select pg_logical_emit_message(true, 'wal', repeat('x', 1000))`)
  await housekeeping(f.m)
  expect(await flushed()).toBe(before)
  await f.new(`alter subscription ${slot} disable`)
  await housekeeping(f.m)
  expect(await one(f.old, `$1::pg_lsn > $2::pg_lsn`, [await flushed(), before])).toBe(true)
})
