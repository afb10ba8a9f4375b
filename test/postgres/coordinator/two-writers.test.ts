// A side that was restored from an older state says that it takes writes; whoever starts then goes to the later one.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { findWriter } from '../../../src/coordinator/find-writer.js'
import { writingSide } from '../../../src/cli/writing-side.js'
import { otherSide } from '../../../src/phase/phases.js'
import { protocolFixture, type ProtocolFixture } from '../protocol/fixture.js'

let f: ProtocolFixture
beforeAll(async () => {
  f = await protocolFixture({ schema: 'create table public.item (id int primary key)' })
})
afterAll(() => f.drop())

it.each(['old', 'new'] as const)('the %s one, where its epoch is the higher', async (writer) => {
  const epochs = { [writer]: 2, [otherSide(writer)]: 1 }
  for (const side of ['old', 'new'] as const)
    await f.m.control[side].run(
      `update cutover.side set status = 'writer', epoch = $2, opened = $2 where name = $1`,
      [f.m.name, epochs[side]],
    )
  const warned: string[] = []
  f.m.events.on('warning', ({ code, message }) => warned.push(`${code}: ${message}`))
  expect(await findWriter(f.m)).toMatchObject({ side: writer, epoch: 2 })
  expect(await writingSide(f.m)).toBe(writer)
  expect(warned).toEqual([
    expect.stringMatching(new RegExp(`^TWO_WRITERS: .*the ${writer} one at epoch 2 is used`)),
  ])
  f.m.events.removeAllListeners('warning')
})
