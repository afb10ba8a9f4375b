// A process that stalls inside the last step and wakes much later: the guards let it turn nothing that others have turned since.
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { ControlConnection } from '../../../src/control/control-connection.js'
import { readSide } from '../../../src/control/side-row.js'
import type { SideRow } from '../../../src/control/side-row.js'
import { beginMirror } from '../../../src/coordinator/begin-mirror.js'
import { changeWriter } from '../../../src/coordinator/coordinator.js'
import { turnMirror } from '../../../src/coordinator/reverse.js'
import { advanceOrigin, streamHealth } from '../../../src/mirror/replication.js'
import { protocolFixture } from '../protocol/fixture.js'
import type { ProtocolFixture } from '../protocol/fixture.js'

let f: ProtocolFixture
let first: SideRow

beforeEach(async () => {
  f = await protocolFixture({
    schema: 'create table public.ledger (id int primary key)',
    mirror: 'replication',
  })
  await beginMirror(f.m, 'old', 'old')
  await changeWriter(f.m, 'new', 'live')
  const moved = await readSide(f.m.control.old, f.m.name)
  if (moved?.status !== 'moved') throw new Error('not moved')
  first = moved
})
afterEach(() => f.drop())

const turnLate = (connections = f.m.control): Promise<void> =>
  turnMirror({
    m: f.m,
    moved: first,
    connections,
    deadline: performance.now() + 10_000,
    back: true,
  })

const streams = async (): Promise<unknown> => ({
  fromOld: (await streamHealth(f.m, 'old')).enabled,
  fromNew: (await streamHealth(f.m, 'new')).enabled,
})

it('after a rollback it leaves the mirror as the rollback has turned it', async () => {
  await changeWriter(f.m, 'old', 'shadow')
  expect(await streams()).toEqual({ fromOld: true, fromNew: false })
  await turnLate()
  expect(await streams()).toEqual({ fromOld: true, fromNew: false })
})

it('between its two halves a rollback may pass: the second half changes nothing', async () => {
  const { old } = f.m.control
  const stalled: ControlConnection = {
    ...old,
    transaction: async (work) => {
      await changeWriter(f.m, 'old', 'shadow')
      return old.transaction(work)
    },
  }
  await turnLate({ old: stalled, new: f.m.control.new })
  expect(await readSide(old, f.m.name)).toMatchObject({ status: 'writer', epoch: 2 })
  expect(await streams()).toEqual({ fromOld: true, fromNew: false })
})

it('after a rollback and another cutover it changes nothing either, and no origin goes back', async () => {
  await changeWriter(f.m, 'old', 'shadow')
  await changeWriter(f.m, 'new', 'live')
  const before = await progress()
  await turnLate()
  expect(await streams()).toEqual({ fromOld: false, fromNew: true })
  expect(await progress()).toBe(before)
})

/** Stops the stream back, and holds its origin as a worker does that has not quite ended. */
async function holdOrigin(): Promise<{ free: () => Promise<void> }> {
  const { run } = f.m.control.old
  await run(`alter subscription "cutover_${f.m.name}_from_new" disable`)
  const holder = f.m.control.old.fork()
  for (;;) {
    const held = await holder
      .run(
        `select pg_replication_origin_session_setup('pg_' || oid) from pg_subscription
          where subname = $1 and subdbid = (select oid from pg_database where datname = current_database())`,
        [`cutover_${f.m.name}_from_new`],
      )
      .catch((error: unknown) => (/already active/.test(String(error)) ? undefined : Promise.reject(error)))
    if (!held) {
      await delay(3)
      continue
    }
    return {
      free: async () => {
        await holder.run('select pg_replication_origin_session_reset()')
        await holder.close()
      },
    }
  }
}

it('an origin that its worker has not given back yet is waited for', async () => {
  const { old } = f.m.control
  const { free } = await holdOrigin()
  let tried = 0
  const counted: ControlConnection = {
    ...old,
    transaction: async (work) => {
      if (++tried === 2) await free()
      return old.transaction(work)
    },
  }
  await turnMirror({
    m: f.m,
    moved: { ...first, reverseLsn: 'FFFF/0' },
    connections: { old: counted, new: f.m.control.new },
    deadline: performance.now() + 10_000,
    back: true,
  })
  expect(tried).toBeGreaterThan(1)
  expect(await streams()).toEqual({ fromOld: false, fromNew: true })
})

it('an origin that is ahead is never moved back', async () => {
  const { run } = f.m.control.old
  const { free } = await holdOrigin()
  await free()
  await advanceOrigin(f.m, 'new', 'FFFF/0', run)
  const ahead = await progress()
  await advanceOrigin(f.m, 'new', '0/1', run)
  expect(await progress()).toBe(ahead)
})

async function progress(): Promise<string | undefined> {
  const [row] = await f.m.control.old.run<{ lsn: string }>(
    `select s.remote_lsn::text as lsn from pg_replication_origin_status s
       join pg_subscription u on s.external_id = 'pg_' || u.oid
      where u.subname = $1 and u.subdbid = (select oid from pg_database where datname = current_database())`,
    [`cutover_${f.m.name}_from_new`],
  )
  return row?.lsn
}
