// Events of the facade: each connection, checkout and return once, whichever side it is on, and errors of the side in use only.
import type pg from 'pg'
import { describe, expect, it } from 'vitest'
import { atRest, eventWhere, flip, lease, sideOf, sides, stateOf, turn } from './fixture.js'

const { drive, terminate } = await sides()

const processIdOf = (client: unknown): number => (client as { processID: number }).processID

const NAMES = ['connect', 'acquire', 'release', 'remove'] as const

function count(pool: pg.Pool): Record<(typeof NAMES)[number], number> {
  const counts = { connect: 0, acquire: 0, release: 0, remove: 0 }
  for (const name of NAMES) pool.on(name as 'connect', () => counts[name]++)
  return counts
}

it.each(['direct', 'armed', 'held and released'])('come once each: %s', async (route) => {
  const driven = drive()
  const { core, pool } = driven
  if (route === 'armed') await core.arm()
  const counts = count(pool)
  if (route === 'held and released') core.hold(lease())
  const served = pool.query('select 1')
  if (route === 'held and released') core.release('new')
  await served
  const client = await pool.connect()
  client.release(true)
  await turn()
  expect(counts).toMatchObject({ connect: 1, acquire: 2, release: 2 })
})

it('of a warm-up are the connections only, so that handlers of `connect` can set them up', async () => {
  const { core, pool } = drive()
  await sideOf(pool)
  const counts = count(pool)
  pool.on('connect', (client) => void client.query(`set application_name = 'set up'`))
  await flip(core, 'new')
  expect(counts).toEqual({ connect: 1, acquire: 0, release: 0, remove: 0 })
  const { rows } = await pool.query(`select current_setting('application_name') as name`)
  expect(rows).toEqual([{ name: 'set up' }])
})

it('come from both sides, also after a flip and after the listener was set and taken off before', async () => {
  const { core, pool, inner } = drive()
  const heard: number[] = []
  const listener = (client: pg.PoolClient): void => void heard.push(processIdOf(client))
  pool.on('acquire', listener)
  pool.off('acquire', listener)
  expect([inner.old.listenerCount('acquire'), inner.new.listenerCount('acquire')]).toEqual([0, 0])
  pool.on('acquire', listener)
  const old = await pool.connect()
  core.hold(lease())
  core.release('new')
  const opened = await pool.connect()
  expect(heard).toEqual([processIdOf(old), processIdOf(opened)])
  old.release()
  opened.release()
})

describe('the death of an idle connection', () => {
  it('is an error of the pool if it is on the side in use', async () => {
    const { pool, events } = drive()
    const client = await pool.connect()
    client.release()
    const other: unknown[] = []
    events.on('sideError', (event) => other.push(event))
    const failed = new Promise<[Error, unknown]>((resolve) => {
      pool.once('error', (...args: [Error, unknown]) => resolve(args))
    })
    await terminate('old', processIdOf(client))
    const [error, its] = await failed
    expect(error).toMatchObject({ code: '57P01' })
    expect(its).toBe(client)
    expect(other).toEqual([])
  })

  it('is an event of the migration on the other side, and no business of a pool without a listener', async () => {
    const driven = drive()
    const { core, pool, events } = driven
    const client = await pool.connect()
    client.release()
    await flip(core, 'new')
    await atRest(driven)
    const failed = eventWhere(events, 'sideError', () => true)
    await terminate('old', processIdOf(client))
    expect(await failed).toMatchObject({ name: 'orders', side: 'old', error: { code: '57P01' } })
    expect(await sideOf(pool)).toBe('new')
  })
})

it('the death of a client that is out, without a listener, ends nothing but its own queries', async () => {
  const { pool, inner } = drive()
  const client = await pool.connect()
  const asked = client.query('select pg_sleep(10)')
  // The error message arrives before the end of the connection.
  const gone = new Promise((resolve) => client.once('end', resolve))
  const [result] = await Promise.allSettled([asked, terminate('old', processIdOf(client))])
  await gone
  expect(result).toMatchObject({ status: 'rejected', reason: { code: '57P01' } })
  client.release()
  await turn()
  expect(inner.old.totalCount).toBe(0)
})

it('a throwing callback and a listener that asks the pool do not stop the line', async () => {
  const { core, pool } = drive({ max: 1 })
  core.hold(lease())
  const thrown = new Promise((resolve) => {
    process.setUncaughtExceptionCaptureCallback(resolve)
  })
  try {
    pool.query('select 1', () => {
      throw new Error('of the callback')
    })
    let asked: Promise<unknown> | undefined
    pool.once('release', () => {
      asked = pool.query('select 2')
    })
    const behind = pool.query('select 3')
    core.release('new')
    await behind
    await asked
    expect(await thrown).toMatchObject({ message: 'of the callback' })
  } finally {
    process.setUncaughtExceptionCaptureCallback(null)
  }
})

it('routes are told in their order', async () => {
  const driven = drive()
  const { core, events, pool } = driven
  const routes: string[] = []
  events.on('route', ({ route, side }) => routes.push(`${route} ${side}`))
  await core.arm()
  core.hold(lease())
  const held = pool.query('select 1')
  expect(await stateOf(held)).toBe('pending')
  await core.drain(1_000)
  core.release('new')
  await held
  await atRest(driven)
  expect(routes).toEqual(['armed old', 'held old', 'releasing new', 'direct new'])
})
