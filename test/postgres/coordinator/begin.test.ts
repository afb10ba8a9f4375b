// The first rows of a migration: made once by any number of processes, and never for two databases that do not belong together.
import { afterEach, expect, it } from 'vitest'
import { readSide } from '../../../src/control/side-row.js'
import { ensureRows } from '../../../src/coordinator/begin-mirror.js'
import { changeWriter } from '../../../src/coordinator/coordinator.js'
import { migrationOver, protocolFixture } from '../protocol/fixture.js'
import type { ProtocolFixture } from '../protocol/fixture.js'

let f: ProtocolFixture
afterEach(() => f.drop())

const begun = async (): Promise<void> => {
  f = await protocolFixture({ schema: 'create table public.ledger (id int primary key)' })
}

it('are the same for four processes that begin at once', async () => {
  await begun()
  await f.both('drop schema cutover cascade')
  const many = Array.from({ length: 4 }, () => migrationOver(f.m.name, f.urls))
  try {
    await Promise.all(many.map((m) => ensureRows(m, 'old', 'old')))
  } finally {
    for (const { control } of many) await Promise.all([control.old.close(), control.new.close()])
  }
  expect(await readSide(f.m.control.old, f.m.name)).toMatchObject({
    status: 'writer',
    epoch: 0,
    phase: 'old',
  })
  expect(await readSide(f.m.control.new, f.m.name)).toMatchObject({ status: 'mirror', epoch: 0 })
})

it.each(['old', 'new'] as const)(
  'are refused where the %s database has a history and the other knows nothing of it',
  async (side) => {
    await begun()
    await changeWriter(f.m, 'new', 'new')
    const other = side === 'old' ? 'new' : 'old'
    await f.m.control[other].run('delete from cutover.side')
    await expect(ensureRows(f.m, 'old', 'old')).rejects.toMatchObject({
      code: 'ERR_PREFLIGHT',
      message: expect.stringContaining('give the database that took part'),
    })
    expect(await readSide(f.m.control[other], f.m.name)).toBeUndefined()
  },
)

it('show a side that was restored from an older state: an attempt that could never be opened is not begun', async () => {
  await begun()
  await changeWriter(f.m, 'new', 'live')
  await changeWriter(f.m, 'old', 'shadow')
  await f.m.control.old.run(`update cutover.side set epoch = 0, opened = 0, status = 'writer'`)
  await expect(changeWriter(f.m, 'new', 'live')).rejects.toMatchObject({
    code: 'ERR_RIVAL',
    message: expect.stringContaining('restored from an older state'),
  })
})
