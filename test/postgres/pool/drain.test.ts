// The drain: it waits for everything that runs on the side being left, in this process and on its server, and names who is late.
import type pg from 'pg'
import { expect, it } from 'vitest'
import { serverIsQuiet } from '../../../src/pool/server-look.js'
import { startProxy } from '../../support/proxy.js'
import { lease, reasonOf, sideOf, sides, stateOf, turn, WRITE } from './fixture.js'

const { drive, keys, observe, terminate, urls } = await sides()

const processIdOf = (client: unknown): number => (client as { processID: number }).processID

const SLEEP_AND_WRITE = `insert into entry (key) select 'slow' from pg_sleep(0.3)`

it('waits for a statement whose client was given back without waiting for it', async () => {
  const { core, pool } = drive()
  const client = await pool.connect()
  const slow = client.query(SLEEP_AND_WRITE)
  client.release()
  core.hold(lease())
  const held = pool.query(WRITE, ['held'])
  await core.drain(5_000)
  expect([await keys('old'), await stateOf(held)]).toEqual([['slow'], 'pending'])
  await slow
  core.release('new')
  await held
  expect(await keys('new')).toEqual(['held'])
})

it('waits for the server where `query_timeout` has ended the wait of the client', async () => {
  const { core, pool } = drive({ query_timeout: 30 })
  expect((await reasonOf(pool.query(SLEEP_AND_WRITE))).message).toBe('Query read timeout')
  core.hold(lease())
  await core.drain(1_000)
  expect(await keys('old')).toEqual([])
  await serverIsQuiet(core.pools.old, 5_000)
  expect(await keys('old')).toEqual(['slow'])
})

it('waits for a server that has not even read the statement that its client gave up', async () => {
  const { core, pool, inner } = drive({ query_timeout: 30 })
  const client = await pool.connect()
  const backend = processIdOf(client)
  process.kill(backend, 'SIGSTOP')
  try {
    client.release()
    expect((await reasonOf(pool.query(WRITE, ['unread']))).message).toBe('Query read timeout')
    core.hold(lease())
    await core.drain(1_000)
    const reason = await reasonOf(serverIsQuiet(core.pools.old, 500))
    expect(reason).toMatchObject({ code: 'ERR_DRAIN_TIMEOUT', details: { backends: [backend] } })
  } finally {
    process.kill(backend, 'SIGCONT')
  }
  await serverIsQuiet(core.pools.old, 5_000)
  expect(await keys('old')).toEqual(['unread'])
  expect(inner.old.idleCount).toBe(1)
})

it('closes idle clients that were given back inside a transaction, and waits until the server has', async () => {
  const { core, pool } = drive()
  const client = await pool.connect()
  await client.query('begin')
  await client.query(WRITE, ['never committed'])
  client.release()
  const other = await pool.connect()
  const another = await pool.connect()
  another.release()
  other.release()
  const backend = processIdOf(client)
  core.hold(lease())
  await core.drain(1_000)
  await serverIsQuiet(core.pools.old, 1_000)
  expect(await observe('old', 'select from pg_stat_activity where pid = $1', [backend])).toEqual([])
  expect(await keys('old')).toEqual([])
})

it('names at the deadline who keeps it: a listener, an open transaction, a statement of a client given back', async () => {
  const { core, pool } = drive({ application_name: 'shop' })
  const listener = await pool.connect()
  await listener.query('listen news')
  const writer = await pool.connect()
  await writer.query('begin')
  await writer.query(WRITE, ['open'])
  const sleeper = await pool.connect()
  const slept = sleeper.query('select pg_sleep(0.5)')
  sleeper.release()
  core.hold(lease())
  const reason = await reasonOf(core.drain(60))
  const named = (client: pg.PoolClient, more: object) =>
    expect.objectContaining({
      side: 'old',
      processId: processIdOf(client),
      applicationName: 'shop',
      clientAddress: expect.stringContaining('127.0.0.1:') as string,
      lastStatementStart: expect.any(String) as string,
      ...more,
    })
  expect(reason).toMatchObject({ code: 'ERR_DRAIN_TIMEOUT' })
  expect(reason.details).toEqual({
    leases: [
      named(listener, { inTransaction: false, state: 'idle', lastStatement: 'listen news' }),
      named(writer, { inTransaction: true, state: 'idle in transaction', lastStatement: WRITE }),
      named(sleeper, { state: 'active', lastStatement: 'select pg_sleep(0.5)' }),
    ],
  })
  expect(reason.message).toMatch(
    /^3 clients of this process were still at work on the old side after 60 ms: "shop" /,
  )
  expect(reason.message).not.toContain('news')

  // The hold is over when the coordinator says so; then everything goes on where it was.
  const held = pool.query<{ side: string }>(WRITE, ['held'])
  core.release('old')
  expect((await held).rows).toEqual([{ side: 'old' }])
  await writer.query('commit')
  await slept
  listener.release()
  writer.release()
  expect((await keys('old')).toSorted()).toEqual(['held', 'open'])
})

it('names those who are late also when the server does not answer', async () => {
  const proxy = await startProxy(Number(new URL(urls.old).port))
  const { core, pool } = drive({}, { old: { connectionString: proxy.url(urls.old) } })
  const client = await pool.connect()
  proxy.stall()
  core.hold(lease())
  const reason = await reasonOf(core.drain(20))
  expect(reason.details).toEqual({
    leases: [{ side: 'old', processId: processIdOf(client), lastStatement: undefined, inTransaction: false }],
  })
  client.release()
  await proxy.close()
})

it('gives up at its deadline when the server does not answer, and lets its connection go', async () => {
  const proxy = await startProxy(Number(new URL(urls.old).port))
  const { core, pool, inner } = drive({}, { old: { connectionString: proxy.url(urls.old) } })
  await sideOf(pool)
  core.hold(lease())
  await core.drain(1_000)
  proxy.stall()
  const reason = await reasonOf(serverIsQuiet(core.pools.old, 50))
  expect(reason).toMatchObject({ code: 'ERR_DRAIN_TIMEOUT' })
  expect(reason.message).toContain('did not say within 50 ms')
  expect(inner.old.totalCount).toBe(0)
  await proxy.close()
})

it('does not take a server that has no connection left for one that is quiet', async () => {
  const [database] = await observe<{ name: string }>('old', 'select current_database() as name')
  const role = `narrow_${database?.name}`
  await observe('old', `create role ${role} login password 'narrow' connection limit 1`)
  await observe('old', `grant insert on entry to ${role}; grant usage on sequence entry_id_seq to ${role}`)
  const url = new URL(urls.old)
  url.username = role
  url.password = 'narrow'
  const { core, pool } = drive({ query_timeout: 30 }, { old: { connectionString: url.href } })
  expect((await reasonOf(pool.query(SLEEP_AND_WRITE))).message).toBe('Query read timeout')
  core.hold(lease())
  await core.drain(1_000)
  const reason = await reasonOf(serverIsQuiet(core.pools.old, 40))
  expect(reason).toMatchObject({ code: 'ERR_DRAIN_TIMEOUT' })
  await serverIsQuiet(core.pools.old, 5_000)
  expect(await keys('old')).toEqual(['slow'])
  await core.end(true)
  await observe('old', `drop owned by ${role}; drop role ${role}`)
})

it('takes a server that is gone for a quiet one, so that it can be left', async () => {
  const proxy = await startProxy(Number(new URL(urls.old).port))
  const { core, pool, inner } = drive({}, { old: { connectionString: proxy.url(urls.old) } })
  pool.on('error', () => {})
  await sideOf(pool)
  await proxy.refuse()
  const removed = new Promise((resolve) => {
    inner.old.once('remove', resolve)
  })
  proxy.cut()
  await removed
  core.hold(lease())
  await core.drain(1_000)
  await serverIsQuiet(core.pools.old, 1_000)
  core.release('new')
  expect(await sideOf(pool)).toBe('new')
  await proxy.close()
})

it('ends when the last of its clients dies', async () => {
  const { core, pool } = drive()
  const client = await pool.connect()
  const backend = processIdOf(client)
  core.hold(lease())
  const drained = core.drain(5_000)
  await terminate('old', backend)
  expect(await stateOf(drained)).toBe('pending')
  client.release()
  await drained
})

it('goes on when a nested call cannot connect, which its caller is told', async () => {
  const proxy = await startProxy(Number(new URL(urls.old).port))
  const { core, pool } = drive({}, { old: { connectionString: proxy.url(urls.old) } })
  const client = await pool.connect()
  core.hold(lease())
  const drained = core.drain(5_000)
  await proxy.refuse()
  await client.query('select 1')
  const nested = await reasonOf(pool.query('select 1'))
  expect(nested.code).toBe('ECONNREFUSED')
  client.release()
  await drained
  await proxy.close()
})

it('is given up where a lease asks for a further client behind a timer, the one nested call that is not seen', async () => {
  const { core, pool } = drive()
  const client = await pool.connect()
  await client.query('begin')
  core.hold(lease())
  const drained = reasonOf(core.drain(60))
  await new Promise((resolve) => {
    setTimeout(resolve, 5)
  })
  const nested = pool.connect()
  expect(await drained).toMatchObject({ code: 'ERR_DRAIN_TIMEOUT' })
  core.release('old')
  const inner = await nested
  expect(await sideOf(inner)).toBe('old')
  inner.release()
  await client.query('commit')
  client.release()
})

it('does not start held calls for the sake of a statement that nobody waits with', async () => {
  const { core, pool } = drive()
  const client = await pool.connect()
  const slow = client.query('select pg_sleep(0.1)')
  client.release()
  core.hold(lease())
  const held = Array.from({ length: 5 }, (_, nr) => pool.query(WRITE, [String(nr)]))
  await core.drain(5_000)
  await slow
  core.release('new')
  await Promise.all(held)
  expect([await keys('old'), (await keys('new')).length]).toEqual([[], 5])
})

it.each([
  ['before the hold', (core: ReturnType<typeof drive>['core']) => void core.state],
  [
    'after its end',
    (core: ReturnType<typeof drive>['core']) => {
      core.hold(lease())
      core.release('old')
    },
  ],
])('is refused %s, for then nothing is held', async (_, before) => {
  const { core } = drive()
  before(core)
  await expect(core.drain(1_000)).rejects.toMatchObject({ code: 'ERR_HOLD_TIMEOUT' })
})

it('is over when the hold is, whatever is still out', async () => {
  const { core, pool } = drive()
  const client = await pool.connect()
  core.hold(lease())
  const drained = reasonOf(core.drain(5_000))
  core.release('old')
  expect(await drained).toMatchObject({ code: 'ERR_HOLD_TIMEOUT' })
  client.release()
})

it('leaves no listener on the connections of the clients that it watched', async () => {
  const { core, pool } = drive()
  const client = await pool.connect()
  const { connection } = client as unknown as { connection: NodeJS.EventEmitter & { _emitMessage: boolean } }
  const watched = (): unknown[] => [connection.listenerCount('message'), connection._emitMessage]
  core.hold(lease())
  expect(watched()).toEqual([1, true])
  const drained = core.drain(5_000)
  client.release()
  await drained
  expect(watched()).toEqual([0, false])
})

it('finds its own look at the server in no event of the pool', async () => {
  const { core, pool } = drive()
  await sideOf(pool)
  const seen: string[] = []
  for (const event of ['connect', 'acquire', 'release', 'remove'])
    pool.on(event as 'connect', () => seen.push(event))
  core.hold(lease())
  await core.drain(1_000)
  await serverIsQuiet(core.pools.old, 1_000)
  await turn()
  expect(seen).toEqual([])
})
