// How far behind the mirror is said to be: while it follows, while it stands still, and without one.
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { LagMeter, type MirrorStatus } from '../../../src/mirror/lag.js'
import { createForward, dropStream } from '../../../src/mirror/replication.js'
import { fixture, until, type Fixture } from './fixture.js'

let f: Fixture
beforeAll(async () => {
  f = await fixture({ schema: 'create table public.item (id int primary key, text text)' })
})
afterAll(() => f.drop())

let meter = new LagMeter()

async function measured(): Promise<MirrorStatus> {
  await meter.measure(f.m, 'old')
  const status = meter.latest('old')
  if (!status) throw new Error('nothing was measured')
  return status
}

/** On the side that is mirrored to: what the writer had written when this was called is there and confirmed. */
async function confirmed(): Promise<void> {
  const [row] = await f.old<{ lsn: string }>('select pg_current_wal_lsn()::text as lsn')
  await until(
    f.old,
    `select bool_and(confirmed_flush_lsn >= $1) from pg_replication_slots where database = current_database()`,
    [row?.lsn],
  )
}

it('has no lag to tell of before there is a slot, and is not healthy', async () => {
  expect(await measured()).toMatchObject({
    from: 'old',
    to: 'new',
    healthy: false,
    lagBytes: undefined,
    lagMillis: undefined,
    ageMillis: 0,
    retainedBytes: undefined,
  })
  expect(meter.latest('new')).toBeUndefined()
})

it('is healthy and behind by little while it follows', async () => {
  await createForward(f.m, 'old', f.onProgress)
  await f.old(`insert into public.item select i, 'text' from generate_series(1, 100) i`)
  await until(f.new, 'select count(*) = 100 from public.item')
  await confirmed()
  const status = await measured()
  expect(status).toMatchObject({ healthy: true, ageMillis: 0 })
  expect(status.lagBytes).toBeLessThan(1_000_000)
  expect(status.lagMillis).toBeLessThan(30_000)
  expect(status.retainedBytes).toBeGreaterThan(0)
  expect(Math.abs(Date.parse(status.measuredAt) - Date.now())).toBeLessThan(5_000)
})

it('grows in bytes and in time while it stands still, and is itself again when it goes on', async () => {
  const [stream] = await f.new<{ name: string }>(
    'select quote_ident(subname) as name from pg_subscription where subdbid = (select oid from pg_database where datname = current_database())',
  )
  await f.new(`alter subscription ${stream?.name} disable`)
  await until(
    f.old,
    'select not bool_or(active) from pg_replication_slots where database = current_database()',
  )
  await f.old(`insert into public.item select i, repeat('x', 1000) from generate_series(101, 300) i`)
  // What was written by others meanwhile may not have been confirmed, and was looked at by another clock.
  meter = new LagMeter()
  const clock = vi.spyOn(performance, 'now')
  try {
    clock.mockReturnValue(1_000_000)
    const first = await measured()
    expect(first).toMatchObject({ healthy: false, ageMillis: 0 })
    expect(first.lagBytes).toBeGreaterThan(200_000)
    await f.old(`insert into public.item select i, repeat('x', 1000) from generate_series(301, 500) i`)
    clock.mockReturnValue(1_060_000)
    const second = await measured()
    expect(second).toMatchObject({ healthy: false, ageMillis: 60_000, lagMillis: 60_000 })
    expect(second.lagBytes).toBeGreaterThan((first.lagBytes ?? 0) + 200_000)
    expect(second.retainedBytes).toBeGreaterThanOrEqual(second.lagBytes ?? 0)
  } finally {
    clock.mockRestore()
  }
  await f.new(`alter subscription ${stream?.name} enable`)
  await until(f.new, 'select count(*) = 500 from public.item')
  await confirmed()
  expect(await measured()).toMatchObject({ healthy: true, ageMillis: 0 })
})

it('keeps the last figures of a server that does not answer, and calls them unhealthy', async () => {
  const before = await measured()
  const away = { ...f.m.control.old, run: () => Promise.reject(new Error('away')) }
  await meter.measure({ ...f.m, control: { ...f.m.control, old: away } }, 'old')
  expect(meter.latest('old')).toEqual({ ...before, healthy: false })
})

it('forgets what it knows of one direction when it is asked of the other', async () => {
  await meter.measure(f.m, 'new')
  expect(meter.latest('new')).toMatchObject({ from: 'new', to: 'old', healthy: false, lagBytes: undefined })
  expect(meter.latest('old')).toBeUndefined()
  await dropStream(f.m, 'old')
})
