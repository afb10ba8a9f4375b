// Clients that a library makes itself: where their statements go at rest, while held and after a flip.
import pg from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import type { Side } from '../../../src/phase/phases.js'
import {
  atRest,
  flip,
  lease,
  reasonOf,
  sideOf,
  sides,
  stateOf,
  WHERE_AM_I,
  WRITE,
  type Driven,
} from './fixture.js'

const { drive, keys, observe, terminate, until } = await sides()

let open: pg.Client[] = []
afterEach(async () => {
  const clients = open
  open = []
  await Promise.all(clients.map((client) => client.end()))
})

function clientOf({ core }: Driven, config: pg.ClientConfig = {}): pg.Client {
  const client = new core.clients.Client(config)
  open.push(client)
  return client
}

async function connected(driven: Driven, config?: pg.ClientConfig): Promise<pg.Client> {
  const client = clientOf(driven, config)
  await client.connect()
  return client
}

const pidOf = (client: pg.Client): number | null =>
  (client as unknown as { processID: number | null }).processID

/** A whole move, as a mode makes it. */
async function move(driven: Driven, to: Side): Promise<void> {
  const left = driven.core.side
  await flip(driven.core, to)
  await atRest(driven)
  await driven.core.sweep(left)
}

describe('a client', () => {
  it('is a pg.Client and ignores the address that it is given', async () => {
    const client = await connected(drive(), { host: '192.0.2.1', port: 1, database: 'nowhere' })
    expect(client).toBeInstanceOf(pg.Client)
    expect(await sideOf(client)).toBe('old')
    expect(client.host).toBe('127.0.0.1')
  })

  it('moves after a flip, before it is used', async () => {
    const driven = drive()
    const client = await connected(driven)
    const before = pidOf(client)
    await move(driven, 'new')
    await until('old', 'not exists (select from pg_stat_activity where pid = $1)', [before])
    expect(await sideOf(client)).toBe('new')
  })

  it('moves with its next statement where nobody swept', async () => {
    const driven = drive()
    const client = await connected(driven)
    await flip(driven.core, 'new')
    expect(await sideOf(client)).toBe('new')
  })

  it('waits while held, in each form and in order, and runs on the side that was opened', async () => {
    const driven = drive()
    const client = await connected(driven)
    driven.core.hold(lease())
    const promised = client.query(WRITE, ['promise'])
    const called = new Promise((resolve, reject) => {
      client.query(WRITE, ['callback'], (error, result) => (error ? reject(error) : resolve(result.rows)))
    })
    const configured = client.query({ text: WRITE, values: ['config'] })
    const submitted = client.query(new pg.Query(WRITE, ['submittable']))
    const ended = new Promise((resolve) => {
      submitted.on('end', resolve)
    })
    await driven.core.drain(10_000)
    expect(await stateOf(promised)).toBe('pending')
    driven.core.release('new')
    await Promise.all([promised, called, configured, ended])
    expect([await keys('old'), await keys('new')]).toEqual([
      [],
      ['promise', 'callback', 'config', 'submittable'],
    ])
  })

  it('ends its transaction where it began, and the drain waits for it', async () => {
    const driven = drive()
    const client = await connected(driven)
    await client.query('begin')
    await client.query(WRITE, ['in the transaction'])
    driven.core.hold(lease())
    const drained = driven.core.drain(5_000)
    await client.query(WRITE, ['while held'])
    expect(await stateOf(drained)).toBe('pending')
    await client.query('commit')
    const later = client.query(WRITE, ['later'])
    await drained
    driven.core.release('new')
    await later
    expect([await keys('old'), await keys('new')]).toEqual([['in the transaction', 'while held'], ['later']])
  })

  it('is named by the drain that it delays', async () => {
    const driven = drive()
    const client = await connected(driven)
    await client.query('begin')
    driven.core.hold(lease())
    expect(await reasonOf(driven.core.drain(20))).toMatchObject({
      code: 'ERR_DRAIN_TIMEOUT',
      details: { leases: [{ processId: pidOf(client), inTransaction: true }] },
    })
    await client.query('rollback')
  })

  it('does not delay a drain while idle', async () => {
    const driven = drive()
    await connected(driven)
    driven.core.hold(lease())
    await driven.core.drain(10_000)
  })

  it('tells of a lost connection as pg does', async () => {
    const client = await connected(drive())
    const errors: Error[] = []
    client.on('error', (error) => errors.push(error))
    const ended = new Promise<void>((resolve) => {
      client.once('end', resolve)
    })
    await terminate('old', pidOf(client) ?? 0)
    await ended
    expect(errors[0]).toMatchObject({ code: '57P01' })
    expect(await reasonOf(client.query(WHERE_AM_I))).toMatchObject({
      message: 'Client has encountered a connection error and is not queryable',
    })
  })
})

describe('what its session holds', () => {
  it('goes along: settings, parameters with a dot, prepared statements, channels, role', async () => {
    const driven = drive()
    const client = await connected(driven)
    await client.query(`set time zone 'Asia/Kathmandu'; set app.tenant = 'seven'`)
    await client.query(`SELECT SET_CONFIG($1, $2, false)`, ['app.user', 'nine'])
    await client.query(`set search_path = pg_catalog, public`)
    await client.query('prepare twice as select $1::int * 2 as n')
    await client.query('listen "Some Channel"')
    await client.query('set role pg_monitor')
    await move(driven, 'new')
    const { rows } = await client.query(
      `select current_setting('TimeZone') as zone, current_setting('app.tenant', true) as tenant,
              current_setting('app.user', true) as user, current_setting('search_path') as path,
              current_user::text as role, array(select pg_listening_channels())::text[] as channels`,
    )
    expect(rows).toEqual([
      {
        zone: 'Asia/Kathmandu',
        tenant: 'seven',
        user: 'nine',
        path: 'pg_catalog, public',
        role: 'pg_monitor',
        channels: ['Some Channel'],
      },
    ])
    expect((await client.query('execute twice(21)')).rows).toEqual([{ n: 42 }])
    const heard = new Promise((resolve) => client.once('notification', resolve))
    await observe('new', `select pg_notify('Some Channel', 'hello')`)
    expect(await heard).toMatchObject({ payload: 'hello' })
  })

  it.each([
    ['a temporary table', 'create temporary table kept (id int)', 'temporary table "kept"'],
    ['an advisory lock', 'select pg_advisory_lock(4294967297)', 'advisory lock 4294967297'],
    ['an advisory lock of two keys', 'select pg_advisory_lock(1, 2)', 'advisory lock (1, 2)'],
    ['a cursor WITH HOLD', 'declare kept cursor with hold for select 1', 'cursor "kept" WITH HOLD'],
    [
      'a PREPARE in company',
      `select 1; prepare kept as select 1`,
      'statement "kept" prepared in a text with other statements',
    ],
  ])('ends the client where it cannot go along: %s', async (_, text, named) => {
    const driven = drive()
    const client = await connected(driven)
    const errors: Error[] = []
    client.on('error', (error) => errors.push(error))
    const warnings: string[] = []
    driven.events.on('warning', ({ message }) => warnings.push(message))
    await client.query(text)
    await flip(driven.core, 'new')
    const reason = await reasonOf(client.query(WRITE, ['lost']))
    expect(reason).toMatchObject({ code: 'ERR_SESSION' })
    expect(reason.message).toContain(named)
    expect(errors[0]).toBe(reason)
    expect(warnings).toEqual([reason.message])
    expect([await keys('old'), await keys('new')]).toEqual([[], []])
  })
})
