// Samples of real calls: what the server has named each of them, on which side, and that their callers see no difference.
import pg from 'pg'
import { afterEach, expect, it } from 'vitest'
import { sampleTraffic } from '../../../src/cutover/sampling.js'
import { memorySource, type SampledCall } from '../../../src/index.js'
import { SampledRoute, type Timed } from '../../../src/pool/sampled-route.js'
import { atRest, flip, reasonOf, sides, WHERE_AM_I, WRITE, type Driven } from './fixture.js'

const { drive } = await sides()

const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0)) stop()
})

/** Every call is timed, where otherwise one a tick would be. */
function timeAll({ core }: Driven): Timed[] {
  const all: Timed[] = []
  const route = new SampledRoute(
    core.route,
    () => {},
    (timed) => void all.push(timed),
  )
  for (const view of core.views) view.swapRoute(route)
  return all
}

/** Asks until a sample of the call has been taken; which call the timer meets is nobody's choice. */
async function sampleOf(driven: Driven, text: string, values?: unknown[]): Promise<SampledCall> {
  const taken: SampledCall[] = []
  const sampler = { perSecond: 1_000, active: true, take: (call: SampledCall) => void taken.push(call) }
  const { core, pool, events } = driven
  const stop = sampleTraffic(core, sampler, { name: 'orders', source: memorySource(), events })
  stops.push(stop)
  for (;;) {
    await pool.query(text, values).catch(() => {})
    const [sample] = taken
    if (sample === undefined) continue
    stop()
    return sample
  }
}

it('a read and a write by what the server says, an error by its text, each with its side', async () => {
  const driven = drive()
  const millis: unknown = expect.any(Number)
  const of = async (text: string, values?: unknown[]): Promise<SampledCall> => sampleOf(driven, text, values)
  expect(await of(WHERE_AM_I)).toEqual({ operation: 'read', side: 'old', millis, failed: false })
  const write = `with entered as (${WRITE}) select * from entered`
  expect(await of(WRITE, ['a'])).toEqual({ operation: 'write', side: 'old', millis, failed: false })
  expect(await of('-- select\n insert into nowhere values (1)')).toMatchObject({
    operation: 'write',
    failed: true,
  })
  // The server says SELECT.
  expect(await of(write, ['a'])).toMatchObject({ operation: 'write', failed: false })
  await flip(driven.core, 'new')
  await atRest(driven)
  expect(await of(WHERE_AM_I)).toMatchObject({ operation: 'read', side: 'new' })
})

it('the time is that of the call, with its wait for a connection', async () => {
  const driven = drive({ max: 1 })
  const client = await driven.pool.connect()
  const all = timeAll(driven)
  const waited = driven.pool.query('select 1')
  await client.query('select pg_sleep(0.05)')
  client.release()
  await waited
  expect(all).toMatchObject([{ given: 'select 1', failed: false, result: { command: 'SELECT' } }])
  expect(all[0]?.millis).toBeGreaterThan(45)
})

it('an error leads to the file of its caller, and its fields are those of pg', async () => {
  const driven = drive()
  const usual = await reasonOf(driven.inner.old.query('select 1/0'))
  const all = timeAll(driven)
  const reason = await reasonOf(driven.pool.query('select 1/0'))
  expect(reason).toBeInstanceOf(pg.DatabaseError)
  expect(Object.entries(reason)).toEqual(Object.entries(usual))
  expect(reason.stack).toContain('pool/sampling.test.ts')
  expect(all).toMatchObject([{ failed: true, result: undefined }])
})
