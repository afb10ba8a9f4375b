// What a change of writer by dual-write looks at before it goes on: the capture of both sides, and whoever still relays.
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import pg from 'pg'
import { captureName, RELAY_APPLICATION } from '../../../src/control/names.js'
import { readSide } from '../../../src/control/side-row.js'
import { beginMirror } from '../../../src/coordinator/begin-mirror.js'
import { changeWriter } from '../../../src/coordinator/coordinator.js'
import { protocolFixture } from '../protocol/fixture.js'
import type { ProtocolFixture } from '../protocol/fixture.js'

let f: ProtocolFixture
beforeAll(async () => {
  f = await protocolFixture({
    schema: `create table public.ledger (id int primary key);
      create table public.parts (id int primary key) partition by range (id);
      create table public.parts_1 partition of public.parts for values from (0) to (1000)`,
    mirror: 'dual-write',
  })
  await f.m.control.old.run(`insert into public.ledger select generate_series(1, 10)`)
  await beginMirror(f.m, 'old', 'old')
})
afterAll(() => f.drop())

const arm = (): Promise<void> => Promise.resolve()
afterEach(() => {
  f.m.gate.arm = arm
})

/** Runs it when everything is prepared and nobody waits yet. */
function beforeTheHold(act: () => Promise<unknown>): void {
  f.m.gate.arm = async () => void (await act())
}

it.each([
  ['old', 'ERR_FENCE'],
  ['new', 'ERR_CATCH_UP_TIMEOUT'],
] as const)('does not move where a table of the %s side has lost its capture', async (side, code) => {
  const { run } = f.m.control[side]
  const [trigger] = await run<{ tgname: string }>(
    `select tgname from pg_trigger where tgrelid = 'public.ledger'::regclass and tgname like $1 and tgname like '%upd'`,
    [`${captureName(f.m.name)}%`],
  )
  beforeTheHold(() => run(`drop trigger "${trigger?.tgname}" on public.ledger`))
  await expect(changeWriter(f.m, 'new', 'live')).rejects.toMatchObject({
    code,
    message: expect.stringContaining('capture'),
  })
  expect(await readSide(f.m.control.old, f.m.name)).toMatchObject({ status: 'writer' })
})

it('brings back what was captured with gaps, and moves', async () => {
  // Of the side that writes: by now it has been made again, and every row was brought over anew.
  await f.m.control.old.run(`alter table public.ledger disable trigger user`)
  await f.m.control.old.run(`delete from public.ledger where id = 1; insert into public.ledger values (11)`)
  await changeWriter(f.m, 'new', 'live')
  expect(await f.m.control.new.run(`select min(id), max(id), count(*)::int from public.ledger`)).toEqual([
    { min: 2, max: 11, count: 10 },
  ])
})

it('sends a relay away whose transaction keeps the side shut that is to be opened', async () => {
  const relay = new pg.Client({ connectionString: f.urls.old, application_name: RELAY_APPLICATION })
  await relay.connect()
  // The end of the connection is an error of its own.
  relay.on('error', () => {})
  const gone = new Promise((resolve) => relay.once('error', resolve))
  try {
    beforeTheHold(async () => {
      await relay.query('begin')
      await relay.query('select from cutover.side for share')
    })
    expect(await changeWriter(f.m, 'old', 'shadow')).toMatchObject({ outcome: 'done' })
    expect(await gone).toMatchObject({ code: '57P01' })
  } finally {
    await relay.end().catch(() => {})
  }
})

it('waits after the fence until the side to be opened has everything that is on record', async () => {
  const { old: left, new: opened } = f.m.control
  const locker = new pg.Client({ connectionString: f.urls.new })
  await locker.connect()
  // Longer than an opening would wait for it; or opened after all.
  const isProven = `(exists (select from cutover.side where status = 'writer') or exists (
    select from pg_stat_activity where wait_event_type = 'Lock' and application_name = '${RELAY_APPLICATION}'
       and datname = current_database() and clock_timestamp() - query_start > interval '400 ms'))`
  beforeTheHold(async () => {
    await locker.query('begin; lock table public.ledger in access exclusive mode')
    await left.run(`insert into public.ledger values (100)`)
  })
  let released: Promise<unknown> | undefined
  f.m.events.on('step', ({ step, state }) => {
    if (step === 'catch-up' && state === 'started')
      released = until(locker, isProven).then(() => locker.query('commit'))
  })
  try {
    await changeWriter(f.m, 'new', 'live')
    await released
    expect(await opened.run(`select id from public.ledger where id = 100`)).toEqual([{ id: 100 }])
  } finally {
    await locker.end()
  }
})

async function until(client: pg.Client, condition: string): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ ok: boolean }>(`select ${condition} as ok`)
    if (rows[0]?.ok === true) return
    await delay(10)
  }
}
