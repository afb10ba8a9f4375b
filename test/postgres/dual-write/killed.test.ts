// A coordinator of a mirror by dual-write killed at its steps: recover ends what it has begun, and nothing is lost.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readSide } from '../../../src/control/side-row.js'
import { beginMirror } from '../../../src/coordinator/begin-mirror.js'
import { changeWriter } from '../../../src/coordinator/coordinator.js'
import { recover } from '../../../src/coordinator/recover.js'
import { RelayMember } from '../../../src/dual-write/relay-member.js'
import { otherSide } from '../../../src/phase/phases.js'
import type { Side } from '../../../src/phase/phases.js'
import { killed } from '../coordinator/doom.js'
import { protocolFixture } from '../protocol/fixture.js'
import type { ProtocolFixture } from '../protocol/fixture.js'

const MOMENTS: readonly (readonly [at: string, moved: boolean])[] = [
  ['capture', false],
  ['catch-up started', false],
  ['decide done', true],
]

let f: ProtocolFixture
let writes = 0

beforeAll(async () => {
  f = await protocolFixture({
    schema: `create table public.ledger (id int primary key)`,
    mirror: 'dual-write',
  })
  await beginMirror(f.m, 'old', 'old')
})
afterAll(() => f.drop())

it.each(MOMENTS)('at "%s"', async (at, moved) => {
  const from = await writer()
  const to = otherSide(from)
  await append(from)
  await killed({ name: f.m.name, urls: f.urls, to, at, mirror: 'dual-write' })

  const first = await recover(f.m)
  expect(first.open).toEqual([])
  expect(first.writer).toBe(moved ? to : from)
  expect(await recover(f.m)).toEqual({ ...first, done: [] })

  // It serves again, the other side refuses, and whoever relays next finds everything on record.
  const serving = moved ? to : from
  await append(serving)
  await expect(
    f.m.control[otherSide(serving)].run('insert into public.ledger values (-1)'),
  ).rejects.toMatchObject({ code: '25006' })
  await relayed(serving)
})

it('and an attempt after all of them goes through', async () => {
  const from = await writer()
  const to = otherSide(from)
  await append(from)
  const said: string[] = []
  f.m.events.on('step', ({ step, state }) => void said.push(`${step} ${state}`))
  await changeWriter(f.m, to, to === 'new' ? 'live' : 'shadow', { lock: false })
  expect(said).toContain('reverse done')
  expect(await readSide(f.m.control[to], f.m.name)).toMatchObject({ status: 'writer' })
  expect(await count(to)).toBe(writes)
  await append(to)
  await relayed(to)
})

async function writer(): Promise<Side> {
  return (await readSide(f.m.control.old, f.m.name))?.status === 'writer' ? 'old' : 'new'
}

const append = (side: Side): Promise<unknown> =>
  f.m.control[side].run('insert into public.ledger values ($1)', [++writes])

async function count(side: Side): Promise<number> {
  const [row] = await f.m.control[side].run<{ n: number }>('select count(*)::int as n from public.ledger')
  return row?.n ?? -1
}

/** A process that relays from this side brings the other one to the same rows. */
async function relayed(from: Side): Promise<void> {
  const member = new RelayMember(f.m, from)
  member.start()
  await member.applied()
  await member.close()
  expect(await count('old')).toBe(writes)
  expect(await count('new')).toBe(writes)
}
