// A coordinator killed at each step and between the statements of a step: recover ends what it has begun, twice the same.
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { readSide } from '../../../src/control/side-row.js'
import { beginMirror } from '../../../src/coordinator/begin-mirror.js'
import { recover } from '../../../src/coordinator/recover.js'
import { STEPS } from '../../../src/coordinator/steps.js'
import { streamHealth } from '../../../src/mirror/replication.js'
import { otherSide } from '../../../src/phase/phases.js'
import type { Side } from '../../../src/phase/phases.js'
import { protocolFixture } from '../protocol/fixture.js'
import type { ProtocolFixture } from '../protocol/fixture.js'
import { killed, runChild } from './doom.js'

const DECIDED = STEPS.findIndex(({ name }) => name === 'open')
const MOMENTS: readonly (readonly [at: string, moved: boolean])[] = [
  ['the way back', false],
  ['sequences', false],
  ['warm pools', false],
  ...STEPS.flatMap(({ name }, index) => [
    [`${name} started`, index >= DECIDED] as const,
    ...(name === 'decide' ? [[`${name} done`, true] as const] : []),
  ]),
  ['the mirror from the LEFT database was disabled', true],
  ['the mirror from the OPENED database was enabled', true],
]

let f: ProtocolFixture
let writes = 0

beforeAll(async () => {
  f = await protocolFixture({
    schema: `create table public.ledger (id int primary key)`,
    mirror: 'replication',
  })
  await beginMirror(f.m, 'old', 'old')
})
afterAll(() => f.drop())

it.each(MOMENTS)('at "%s"', async (at, moved) => {
  const from = await writer()
  const to = otherSide(from)
  await append(from)
  await killed({
    name: f.m.name,
    urls: f.urls,
    to,
    at: at.replace('LEFT', from).replace('OPENED', to),
  })

  const first = await recover(f.m)
  expect(first.open).toEqual([])
  expect(first.writer).toBe(moved ? to : from)
  const rows = await bothRows()
  expect(await recover(f.m)).toEqual({ ...first, done: [] })
  expect(await bothRows()).toEqual(rows)

  // It serves again, the other side refuses, the mirror runs in the one direction that is right, and no row is lost.
  const serving = moved ? to : from
  await append(serving)
  await expect(
    f.m.control[otherSide(serving)].run('insert into public.ledger values (-1)'),
  ).rejects.toMatchObject({
    code: '25006',
  })
  expect(await streamHealth(f.m, serving)).toMatchObject({ enabled: true })
  expect((await streamHealth(f.m, otherSide(serving))).enabled).toBe(false)
  await arrived(otherSide(serving))
})

it('and an attempt after all of them goes through', async () => {
  const from = await writer()
  const to = otherSide(from)
  await append(from)
  const said = await runChild({ name: f.m.name, urls: f.urls, to, at: undefined })
  expect(said).toContain('reverse done')
  expect(await readSide(f.m.control[to], f.m.name)).toMatchObject({ status: 'writer' })
  await arrived(from)
})

const bothRows = (): Promise<unknown> =>
  Promise.all([readSide(f.m.control.old, f.m.name), readSide(f.m.control.new, f.m.name)])

async function writer(): Promise<Side> {
  return (await readSide(f.m.control.old, f.m.name))?.status === 'writer' ? 'old' : 'new'
}

const append = (side: Side): Promise<unknown> =>
  f.m.control[side].run('insert into public.ledger values ($1)', [++writes])

/** Every write so far, once. Nobody tells when a row has arrived, and what asks all the time keeps it from doing so. */
async function arrived(side: Side): Promise<void> {
  for (;;) {
    const [row] = await f.m.control[side].run<{ n: number; last: number }>(
      'select count(*)::int as n, max(id)::int as last from public.ledger',
    )
    if (row?.n === writes) return expect(row.last).toBe(writes)
    expect(row?.n).toBeLessThanOrEqual(writes)
    await delay(3)
  }
}
