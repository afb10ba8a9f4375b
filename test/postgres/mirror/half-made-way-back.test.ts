// A preparation that ends in the middle of making the way back keeps nobody from the next one.
import { afterEach, expect, it } from 'vitest'
import { beginMirror } from '../../../src/coordinator/begin-mirror.js'
import { changeWriter } from '../../../src/coordinator/coordinator.js'
import { ensurePublication } from '../../../src/mirror/publication.js'
import { streamOf } from '../../../src/mirror/stream.js'
import { protocolFixture } from '../protocol/fixture.js'
import type { ProtocolFixture } from '../protocol/fixture.js'

let f: ProtocolFixture
afterEach(() => f.drop())

it('its publication alone', async () => {
  f = await protocolFixture({
    schema: 'create table public.ledger (id int primary key)',
    mirror: 'replication',
  })
  await beginMirror(f.m, 'old', 'old')
  await ensurePublication(f.m, streamOf(f.m, 'new'))
  expect(await changeWriter(f.m, 'new', 'live')).toMatchObject({ outcome: 'done' })
})
