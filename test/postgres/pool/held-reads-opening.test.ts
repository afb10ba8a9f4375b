// The connections of reads while they are opened: how long is waited for them, what the application does to them, and what is left.
import pg from 'pg'
import { expect, it } from 'vitest'
import type { EventMap } from '../../../src/events.js'
import { KnownTexts } from '../../../src/reads/known-texts.js'
import { eventWhere, lease, reasonOf, sideOf, sides, stateOf, turn, WHERE_AM_I, WRITE } from './fixture.js'

const { drive, keys, observe, until } = await sides({ heldReadsMax: 4 })

const READS = `application_name = 'pg-cutover reads' and datname = current_database()`
const SETTING_UP = `datname = current_database() and query = 'select pg_sleep(60)' and state = 'active'`
const stall = (client: pg.PoolClient): void => void client.query('select pg_sleep(60)').catch(() => {})
/** A server does not see that nobody waits for what it is doing. */
async function noneLeft(): Promise<void> {
  await observe('old', `select pg_terminate_backend(pid) from pg_stat_activity where ${SETTING_UP}`)
  await until('old', `not exists (select from pg_stat_activity where ${READS} or ${SETTING_UP})`)
}

it('cost a move no more than half of its time where the server does not answer, and end with the pool', async () => {
  const { core, pool, events } = drive()
  expect(await sideOf(pool)).toBe('old')
  await core.pools.new.warm(1)
  pool.on('connect', stall)
  const warned = eventWhere(events, 'warning', ({ code }: EventMap['warning'][0]) => code === 'HELD_READS')
  const began = performance.now()
  await core.arm(undefined, began + 600)
  expect(performance.now() - began).toBeLessThan(600)
  expect((await warned).message).toContain('not ready within')
  core.hold(lease())
  const read = sideOf(pool)
  expect(core.flows(WHERE_AM_I)).toBe(false)
  core.release('old')
  expect(await read).toBe('old')
  await core.end(true)
  await noneLeft()
})

it('end with the pool while they are being set up, and one that has a read with its answer', async () => {
  const { core, pool } = drive({ max: 4 })
  await core.arm()
  core.hold(lease())
  expect(await sideOf(pool)).toBe('old')
  pool.on('connect', stall)
  const first = pool.query('select pg_sleep(0.1), side from marker')
  const second = sideOf(pool)
  await until('old', `exists (select from pg_stat_activity where ${SETTING_UP})`)
  core.release('new')
  expect((await first).rows).toMatchObject([{ side: 'old' }])
  expect(await second).toBe('new')
  await core.reads.closed()
  await noneLeft()
})

it('are done without where a listener to `connect` fails on them', async () => {
  const { core, pool, events } = drive()
  expect(await sideOf(pool)).toBe('old')
  await core.pools.new.warm(1)
  pool.on('connect', () => {
    throw new Error('one too many')
  })
  const warned = eventWhere(events, 'warning', ({ code }: EventMap['warning'][0]) => code === 'HELD_READS')
  await core.arm()
  expect((await warned).message).toContain('one too many')
  core.hold(lease())
  const read = sideOf(pool)
  expect(await stateOf(read)).toBe('pending')
  core.release('new')
  expect(await read).toBe('new')
})

it('wake the reads of a client that wait for them in a hold that nothing was armed for', async () => {
  const { core } = drive()
  const client = new core.clients.Client()
  await client.connect()
  core.hold(lease())
  expect(await sideOf(client)).toBe('old')
  expect(core.state.kind).toBe('held')
  core.release('old')
  await client.end()
})

it('leave a text with a backslash to wait in a session that reads it otherwise', async () => {
  const { core } = drive()
  const client = new core.clients.Client()
  await client.connect()
  await core.arm()
  core.hold(lease())
  const plain = String.raw`select side from marker where side <> 'a\'`
  expect((await client.query(plain)).rows).toEqual([{ side: 'old' }])
  core.release('old')
  await client.query('set standard_conforming_strings = off')
  await core.arm()
  core.hold(lease())
  const several = String.raw`select '\' , '; commit; insert into entry (key) values (1); --'`
  expect(core.flows(several)).toBe(true)
  const waiting = client.query(several)
  const behind = sideOf(client)
  await until(
    'old',
    `exists (select from pg_stat_activity where pid = $1 and state = 'idle' and query = 'commit')`,
    [(client as pg.Client & { processID: number }).processID],
  )
  expect([await stateOf(waiting), await stateOf(behind), await keys('old')]).toEqual([
    'pending',
    'pending',
    [],
  ])
  await core.drain(5_000)
  core.release('old')
  await waiting
  expect([await behind, await keys('old')]).toEqual(['old', ['1']])
  await client.end()
})

it('have to ask only what has changed where the catalogs were read ahead, which ends with the pool', async () => {
  const asked: string[] = []
  class Heard extends pg.Client {}
  Object.assign(Heard.prototype, {
    query(this: pg.Client, ...given: unknown[]): unknown {
      const [config] = given
      const { text } = Object(config) as { text?: unknown }
      if (typeof text === 'string' && text.includes('pg_proc'))
        asked.push(text.includes('built_in') ? 'all' : 'changes')
      return Reflect.apply(pg.Client.prototype.query, this, given)
    },
  })
  const { core, pool } = drive({ Client: Heard }, { texts: new KnownTexts() })
  core.reads.ahead()
  core.reads.ahead()
  while (asked.length === 0) await turn()
  await noneLeft()
  await core.arm()
  core.hold(lease())
  expect([await sideOf(pool), asked]).toEqual(['old', ['all', 'changes']])
  core.release('old')
  await core.reads.closed()
  core.reads.ahead()
  const ended = core.end(true)
  core.reads.ahead()
  await ended
  await noneLeft()
  expect(await reasonOf(pool.query(WRITE, ['key']))).toBeInstanceOf(Error)
  expect(await observe('old', 'select key from entry')).toEqual([])
})
