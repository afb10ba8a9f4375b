// A process that stalls inside the last step and wakes much later: the guards let it turn nothing that others have turned since.
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

it('an origin that is ahead is never moved back', async () => {
  const { run } = f.m.control.old
  await run(`alter subscription "cutover_${f.m.name}_from_new" disable`)
  for (;;) {
    const workers = await run(
      `select from pg_stat_subscription where pid is not null and subname = 'cutover_${f.m.name}_from_new'`,
    )
    if (workers.length === 0) break
  }
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
