// What one look at the record says, when everything before it has passed, how the record is measured, and the wait for a backfill.
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ProgressEvent } from '../../../src/events.js'
import { recordTable } from '../../../src/control/names.js'
import { readBackfill, restartBackfillSql } from '../../../src/dual-write/backfill.js'
import { backfillStep } from '../../../src/dual-write/backfill-step.js'
import { recordLook, recordPassed } from '../../../src/dual-write/record-look.js'
import { RecordMeter } from '../../../src/dual-write/record-meter.js'
import type { RecordStatus } from '../../../src/dual-write/record-meter.js'
import { readMirrored } from '../../../src/dual-write/tables.js'
import { waitForBackfill } from '../../../src/dual-write/wait-for-backfill.js'
import { fixture, one, type Fixture } from '../mirror/fixture.js'

const LONG_MILLIS = 60_000

let f: Fixture
let passedUnrecorded: boolean
const record = (): string => `cutover.${recordTable(f.m.name)}`
const put = (rows = 1): Promise<unknown> =>
  f.old(`insert into ${record()} select pg_current_xact_id(), 1, i::text from generate_series(1, $1) i`, [
    rows,
  ])
const forgetAll = (): Promise<unknown> => f.old(`delete from ${record()}`)

beforeAll(async () => {
  f = await fixture({
    schema: `create table public.item (id int primary key); create table public.more (id int primary key)`,
    dualWrite: { alarmRows: 10, alarmAgeMillis: 1_000_000 },
  })
  passedUnrecorded = await recordPassed(f.m.control.old, { name: f.m.name, from: 'old' }, LONG_MILLIS)
  await f.old(`create table ${record()} (
    xid xid8 not null, tbl oid not null, key text collate "C", whole boolean not null default false)`)
  await f.old(`create index on ${record()} (xid)`)
})
afterAll(() => f.drop())

beforeEach(async () => {
  await forgetAll()
  await f.old('delete from cutover.backfill')
  await f.old('delete from cutover.stuck')
  await f.old('delete from cutover.relay')
})

describe('a look', () => {
  it('tells the oldest transaction on record, and that what is committed before it is below its boundary', async () => {
    expect(await recordLook(f.old, f.m)).toMatchObject({ oldest: undefined, backfilling: false })
    await put()
    await put()
    const oldest = BigInt(await one<string>(f.old, `select min(xid::text::numeric)::text from ${record()}`))
    const look = await recordLook(f.old, f.m)
    expect(look.oldest).toBe(oldest)
    expect(look.boundary).toBeGreaterThan(oldest)
  })

  it('finds what a transaction puts on record that was running at the look before', async () => {
    const other = f.m.control.old.fork()
    try {
      const { before, xid } = await other.transaction(async (run) => {
        await run(`insert into ${record()} values (pg_current_xact_id(), 1, 'late')`)
        // A later transaction is over by the time of the look.
        await put()
        await forgetAll()
        return {
          before: await recordLook(f.old, f.m),
          xid: await one<string>(run, 'pg_current_xact_id()::text'),
        }
      })
      expect(before.oldest).toBeUndefined()
      expect((await recordLook(f.old, f.m, before)).oldest).toBe(BigInt(xid))
    } finally {
      await other.close()
    }
  })

  it('forgets what it knows of another session', async () => {
    await put()
    const look = await recordLook(f.old, f.m)
    const wrong = { ...look, low: 1n << 60n }
    expect((await recordLook(f.old, f.m, wrong)).oldest).toBeUndefined()
    expect((await recordLook(f.old, f.m, { ...wrong, session: 'another' })).oldest).toBe(look.oldest)
  })
})

describe('what was committed', () => {
  const passed = (millis: number, signal?: AbortSignal): Promise<boolean> =>
    recordPassed(f.m.control.old, { name: f.m.name, from: 'old' }, millis, signal)

  it('has not passed where nothing is put on record', () => {
    expect(passedUnrecorded).toBe(false)
  })

  it('has passed at once where nothing is on record', async () => {
    expect(await passed(0)).toBe(true)
  })

  it('passes once it is forgotten, whatever comes after', async () => {
    await put()
    const waiting = passed(LONG_MILLIS)
    // The first look is sent before these.
    await put()
    await f.old(
      `delete from ${record()} where xid = (select min(xid::text::numeric)::text::xid8 from ${record()})`,
    )
    expect(await waiting).toBe(true)
    expect(await one(f.old, `select count(*)::int from ${record()}`)).toBe(1)
  })

  it('has not passed in time while it is on record, or rows are yet to be put there', async () => {
    await put()
    expect(await passed(20)).toBe(false)
    await forgetAll()
    await f.old(
      `insert into cutover.backfill (name, tbl, table_name, rows_total) values ($1, 1, 'public.item', 1)`,
      [f.m.name],
    )
    expect(await passed(20)).toBe(false)
  })

  it('is not waited for by whoever has gone', async () => {
    await put()
    const reason = new Error('gone')
    await expect(passed(LONG_MILLIS, AbortSignal.abort(reason))).rejects.toThrow()
  })
})

describe('the meter', () => {
  async function measured(meter: RecordMeter): Promise<RecordStatus> {
    await meter.measure(f.m, 'old')
    const status = meter.latest('old')
    if (!status) throw new Error('nothing was measured')
    return status
  }

  const relay = (applied: number, after: string, trouble: string | null = null): Promise<unknown> =>
    f.old(
      `insert into cutover.relay values ($1, 'host 1', 7, $2, clock_timestamp() + $3::interval, $4)
       on conflict (name) do update set applied = excluded.applied, updated = excluded.updated, trouble = excluded.trouble`,
      [f.m.name, applied, after, trouble],
    )

  it('tells what is on record, who carries it over, how fast, and how long the oldest waits', async () => {
    const meter = new RecordMeter()
    await relay(0, '-1 second')
    expect(await measured(meter)).toMatchObject({
      from: 'old',
      to: 'new',
      healthy: true,
      rows: 0,
      ageMillis: 0,
      leader: 'host 1',
      trouble: undefined,
      stuck: 0,
      stuckRows: [],
      backfill: undefined,
    })
    expect(meter.latest('new')).toBeUndefined()
    await put(3)
    expect((await measured(meter)).ageMillis).toBe(0)
    await relay(500, '0 seconds')
    const later = await measured(meter)
    expect(later.rows).toBe(3)
    expect(later.ageMillis).toBeGreaterThan(0)
    expect(later.bytes).toBeGreaterThan(8_000)
    expect(later.rowsPerSecond).toBeGreaterThan(100)
    expect(later.rowsPerSecond).toBeLessThan(501)
    await forgetAll()
    await put()
    const others = await measured(meter)
    expect([others.rows, others.ageMillis]).toEqual([1, 0])
  })

  it.each([
    ['nobody carries it over', () => Promise.resolve()],
    ['its relay has not been heard of', () => relay(0, '-1 minute')],
    ['its relay has trouble', () => relay(0, '0 seconds', 'connection refused')],
  ])('is not healthy where %s', async (_, make) => {
    await make()
    expect(await measured(new RecordMeter())).toMatchObject({ healthy: false })
  })

  it('names what is stuck', async () => {
    await relay(0, '0 seconds')
    await f.old(
      `insert into cutover.stuck (name, tbl, table_name, key, sqlstate, message, set_aside)
       values ($1, 1, 'public.item', '5', '23514', 'violates check', null), ($1, 1, 'public.item', '6', '23514', 'violates check', now()),
              ($1, 2, 'public.more', null, '42P01', 'does not exist', null)`,
      [f.m.name],
    )
    const status = await measured(new RecordMeter())
    expect(status).toMatchObject({ healthy: false, stuck: 2 })
    expect(status.stuckRows.map(({ table, key, setAside }) => [table, key, setAside])).toEqual([
      ['public.item', '5', false],
      ['public.more', undefined, false],
      ['public.item', '6', true],
    ])
  })

  it('warns once when the record passes a limit, and once when it is over', async () => {
    const warned: string[] = []
    const listener = ({ code, message }: { code: string; message: string }): void =>
      void warned.push(`${code} ${message}`)
    f.m.events.on('warning', listener)
    const meter = new RecordMeter()
    for (const rows of [0, 11, 5, 0, 0]) {
      if (rows === 0) await forgetAll()
      else await put(rows)
      await measured(meter)
    }
    f.m.events.off('warning', listener)
    expect(warned).toEqual([
      expect.stringMatching(/^MIRROR_BEHIND .*beyond its limits: 11 rows wait for the new database/),
      expect.stringMatching(/^MIRROR_BEHIND .*within its limits again: 0 rows/),
    ])
  })

  it('keeps the last figures when the server does not answer, and says so', async () => {
    const meter = new RecordMeter()
    await relay(0, '0 seconds')
    await put(2)
    await measured(meter)
    const away = { ...f.m, control: { ...f.m.control, old: f.m.control.old.fork() } }
    await away.control.old.close()
    await meter.measure(away, 'old')
    expect(meter.latest('old')).toMatchObject({ healthy: false, rows: 2 })
  })
})

describe('the wait for a backfill', () => {
  const deadline = (): number => performance.now() + LONG_MILLIS

  it('ends when another process has brought over what there was, and tells how far it is', async () => {
    await f.old(`insert into public.item select i from generate_series(1, 100) i`)
    await f.old('analyze')
    const { tables } = await readMirrored(f.m, 'old', { old: f.old, new: f.new })
    for (const { from } of tables) await f.old(restartBackfillSql(f.m, from.oid))
    const progress: ProgressEvent[] = []
    const waiting = waitForBackfill(f.m, 'old', (event) => void progress.push(event), deadline())
    const over = vi.fn()
    void waiting.then(over, over)
    const another = f.m.control.old.fork()
    try {
      await vi.waitFor(() => expect(progress).toHaveLength(1), { interval: 5 })
      for (const table of tables) while (!(await backfillStep(another.run, f.m, table, 30)).finished);
      await vi.waitFor(() => expect(progress.at(-1)?.detail).toContain('last rows'), { interval: 5 })
      expect(over).not.toHaveBeenCalled()
      // A change of its own time does not keep it.
      const [last] = await another.run<{ xid: string }>(
        `select max(xid::text::numeric)::text as xid from ${record()}`,
      )
      await put()
      await another.run(`delete from ${record()} where xid <= $1::text::xid8`, [last?.xid])
      await waiting
    } finally {
      await another.close()
    }
    expect(progress[0]).toEqual({
      name: f.m.name,
      step: 'mirror',
      detail: '0 of 2 tables',
      done: 0,
      total: 100,
    })
    expect(progress.at(-1)).toMatchObject({ done: 100, total: 100 })
    expect((await readBackfill(f.old, f.m.name)).finished).toBe(true)
  })

  it('ends with the names of what is stuck where nothing else is left', async () => {
    await put(2)
    await f.old(
      `insert into cutover.stuck (name, tbl, table_name, key, sqlstate, message)
       values ($1, 1, 'public.item', '1', '23514', 'violates check'), ($1, 1, 'public.item', '2', '23514', 'violates check')`,
      [f.m.name],
    )
    await expect(waitForBackfill(f.m, 'old', () => {}, deadline())).rejects.toMatchObject({
      code: 'ERR_PREPARE',
      message: expect.stringContaining('public.item 1: violates check; public.item 2'),
    })
  })

  it('ends at its deadline with the names of the tables that are not finished', async () => {
    const { tables } = await readMirrored(f.m, 'old', { old: f.old, new: f.new })
    for (const { from } of tables) await f.old(restartBackfillSql(f.m, from.oid))
    await expect(waitForBackfill(f.m, 'old', () => {}, performance.now())).rejects.toMatchObject({
      code: 'ERR_PREPARE',
      message: expect.stringContaining('public.item, public.more'),
    })
  })

  it('outlives a connection that is cut', async () => {
    await put()
    const own = { ...f.m, control: { ...f.m.control, old: f.m.control.old.fork() } }
    try {
      const [pid] = await own.control.old.run<{ pid: number }>('select pg_backend_pid() as pid')
      const waiting = waitForBackfill(own, 'old', () => {}, deadline())
      await f.old('select pg_terminate_backend($1, 5000)', [pid?.pid])
      await forgetAll()
      await waiting
    } finally {
      await own.control.old.close()
    }
  })
})
