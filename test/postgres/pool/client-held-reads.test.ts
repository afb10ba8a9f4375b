// Reads of a client that moves, while the process holds: on its own session, and nothing waits for them.
import pg from 'pg'
import Cursor from 'pg-cursor'
import { afterEach, expect, it } from 'vitest'
import type { PoolCoreOptions } from '../../../src/pool/pool-core-options.js'
import { KnownTexts } from '../../../src/reads/known-texts.js'
import { lease, reasonOf, sideOf, sides, stateOf, turn, WHERE_AM_I, WRITE, type Driven } from './fixture.js'

const { drive, keys, observe, until, urls } = await sides({ heldReadsMax: 4 })

const known = new KnownTexts()
await known.load()

/** Knows texts that begin with this comment for reads, whatever they do. */
const credulous: PoolCoreOptions['texts'] = {
  load: () => known.load(),
  isOnePlainStatement: (text) => known.isOnePlainStatement(text),
  isRead: (text, side) => text.startsWith('/* a read */') || known.isRead(text, side),
}

let opened: pg.Client[] = []
afterEach(async () => {
  const all = opened
  opened = []
  await Promise.all(all.map((one) => one.end().catch(() => {})))
})

type Client = pg.Client & { readonly processID: number; getTransactionStatus(): string }

async function clientOf({ core }: Driven, config: pg.ClientConfig = {}): Promise<Client> {
  const client = new core.clients.Client(config) as Client
  client.on('error', () => {})
  opened.push(client)
  await client.connect()
  return client
}

/** Holds, with reads going on. */
async function hold({ core }: Driven): Promise<void> {
  await core.arm()
  core.hold(lease())
  while (!core.flows(WHERE_AM_I)) await turn()
}

/** Keeps readers of the marker waiting until it is told to let them. */
async function locked(): Promise<() => Promise<void>> {
  const locker = new pg.Client({ connectionString: urls.old })
  opened.push(locker)
  await locker.connect()
  await locker.query('begin; lock table marker')
  return async () => void (await locker.query('rollback'))
}

const READER_WAITS = `exists (select from pg_stat_activity where pid = $1 and wait_event_type = 'Lock'
                               and application_name = 'pg-cutover reads')`

it('are answered in every form, with what their session has', async () => {
  const driven = drive()
  const client = await clientOf(driven)
  await client.query(`set app.tenant = 'seven'; set time zone 'Asia/Kathmandu'`)
  client.setTypeParser(pg.types.builtins.INT4, (text) => `<${text}>`)
  await hold(driven)
  expect(await sideOf(client)).toBe('old')
  expect(
    (
      await client.query(`select current_setting('app.tenant') as tenant, extract(timezone from
    timestamptz '2020-01-01 00:00Z')::int as zone`)
    ).rows,
  ).toEqual([{ tenant: 'seven', zone: '<20700>' }])
  expect((await client.query('select $1::int as n', [7])).rows).toEqual([{ n: '<7>' }])
  expect((await client.query({ text: 'select 8 as n', rowMode: 'array' })).rows).toEqual([['<8>']])
  const named = { name: 'nine', text: 'select $1::int as n', values: [9] }
  for (let times = 0; times < 2; times++) expect((await client.query(named)).rows).toEqual([{ n: '<9>' }])
  const types = { getTypeParser: () => (text: string) => `[${text}]` }
  expect((await client.query({ text: 'select 10 as n', types })).rows).toEqual([{ n: '[10]' }])
  const called = await new Promise<unknown>((resolve) => {
    const given = client.query('select 11 as n', (_: Error | null, { rows }: pg.QueryResult) => resolve(rows))
    expect(given).toBeUndefined()
  })
  expect(called).toEqual([{ n: '<11>' }])
  const failed = await reasonOf(client.query('select 1 / 0'))
  expect(failed).toMatchObject({ code: '22012', stack: expect.stringContaining('client-held-reads.test.ts') })
  expect(await reasonOf(client.query('select nothing from marker'))).toMatchObject({ code: '42703' })
  expect(client.getTransactionStatus()).toBe('I')
  // A pool of a library may hand an answer over only after that.
  expect(await client.query('discard all')).toMatchObject({ command: 'DISCARD' })
  expect(driven.core.counters.heldReads).toBe(10)
})

it('are no more than reads: whatever else it is, or hands over, waits', async () => {
  const driven = drive()
  const [client, cursors, later] = [await clientOf(driven), await clientOf(driven), await clientOf(driven)]
  const before = later.query(WRITE, ['sent before'])
  await hold(driven)
  const cursor = cursors.query(new Cursor(WHERE_AM_I))
  const waiting = [client.query(WRITE, ['a write']), cursor.read(1)]
  for (const call of waiting) expect(await stateOf(call)).toBe('pending')
  await before
  await driven.core.drain(5_000)
  driven.core.release('new')
  await Promise.all(waiting)
  await cursor.close()
  expect([await keys('old'), await keys('new')]).toEqual([['sent before'], ['a write']])
})

it('keep their place among the statements of their client', async () => {
  const driven = drive()
  const client = await clientOf(driven)
  await hold(driven)
  const done: unknown[] = []
  const calls = [
    sideOf(client).then((side) => done.push(side)),
    sideOf(client).then((side) => done.push(side)),
    client.query(WRITE, ['written']).then(() => done.push('written')),
    client.query('select key from entry').then(({ rows }) => done.push(rows)),
  ]
  await Promise.all(calls.slice(0, 2))
  expect(await stateOf(Promise.all(calls))).toBe('pending')
  expect(done).toEqual(['old', 'old'])
  await driven.core.drain(5_000)
  driven.core.release('new')
  await Promise.all(calls)
  expect(done).toEqual(['old', 'old', 'written', [{ key: 'written' }]])
})

it('are not waited for: they are answered after the move, and the client goes along then', async () => {
  const driven = drive()
  const { core } = driven
  const client = await clientOf(driven)
  const { processID } = client
  expect(core.backends('old')).toContain(processID)
  const unlock = await locked()
  await hold(driven)
  const slow = sideOf(client)
  const behind = client.query(WRITE, ['behind'])
  await until('old', READER_WAITS, [processID])
  await core.drain(5_000)
  // Whoever drains by what the server says does not wait for it either, and nobody sends it away.
  expect(core.backends('old')).not.toContain(processID)
  await core.stopReads()
  core.release('new')
  await core.sweep('old')
  expect([await stateOf(slow), await stateOf(behind)]).toEqual(['pending', 'pending'])
  await unlock()
  expect(await slow).toBe('old')
  await behind
  expect([await keys('old'), await keys('new'), await sideOf(client)]).toEqual([[], ['behind'], 'new'])
})

it('may be the first that is asked of a client, even before it is connected', async () => {
  const driven = drive()
  await hold(driven)
  const client = new driven.core.clients.Client() as Client
  opened.push(client)
  const asked = new Promise<unknown>((resolve) => {
    client.once('connect', () => resolve(sideOf(client)))
  })
  await client.connect()
  expect([await asked, await sideOf(client)]).toEqual(['old', 'old'])
})

it('leave their client as it was where the move is given up', async () => {
  const driven = drive()
  const client = await clientOf(driven, { application_name: 'mine' })
  const unlock = await locked()
  await hold(driven)
  const slow = sideOf(client)
  await until('old', READER_WAITS, [client.processID])
  driven.core.release('old')
  const behind = client.query(WRITE, ['behind'])
  expect(await stateOf(behind)).toBe('pending')
  await unlock()
  expect(await slow).toBe('old')
  await behind
  expect((await client.query('show application_name')).rows).toEqual([{ application_name: 'mine' }])
  expect(driven.core.backends('old')).toContain(client.processID)
  expect(await keys('old')).toEqual(['behind'])
})

it('that the server refuses, since they write, wait in their place and run once', async () => {
  const driven = drive({}, { texts: credulous })
  const client = await clientOf(driven)
  await hold(driven)
  const text = `/* a read */ ${WRITE}`
  const mistaken = client.query(text, ['1'])
  const next = client.query(text, ['2'])
  while (driven.core.flows(text)) await turn()
  expect([await stateOf(mistaken), await stateOf(next)]).toEqual(['pending', 'pending'])
  await driven.core.drain(5_000)
  driven.core.release('new')
  await Promise.all([mistaken, next])
  expect([await keys('old'), await keys('new')]).toEqual([[], ['1', '2']])
})

it('wait as soon as reads are stopped, and where a fence says that another side may have the last word', async () => {
  const driven = drive()
  const client = await clientOf(driven)
  await hold(driven)
  await driven.core.stopReads()
  const stopped = sideOf(client)
  expect(await stateOf(stopped)).toBe('pending')
  driven.core.release('old')
  expect(await stopped).toBe('old')
  driven.core.hold(lease(60_000, undefined, 'wait'))
  const waiting = sideOf(client)
  expect(await stateOf(waiting)).toBe('pending')
  driven.core.release('old')
  expect(await waiting).toBe('old')
})

it('that fail with their connection, or are given up, fail alone', async () => {
  const driven = drive()
  const [killed, late] = [await clientOf(driven), await clientOf(driven, { query_timeout: 50 })]
  const unlock = await locked()
  await hold(driven)
  const reason = reasonOf(killed.query(WHERE_AM_I))
  const behind = reasonOf(killed.query(WHERE_AM_I))
  await until('old', READER_WAITS, [killed.processID])
  await observe('old', 'select pg_terminate_backend($1)', [killed.processID])
  expect(await reason).toMatchObject({ code: '57P01' })
  expect(await behind).toBeInstanceOf(Error)
  expect(await reasonOf(late.query(WHERE_AM_I))).toMatchObject({ message: 'Query read timeout' })
  await unlock()
  while (late.getTransactionStatus() !== 'I') await turn()
  expect(await sideOf(late)).toBe('old')
  const ended = reasonOf(late.query(WRITE, ['never']))
  await late.end()
  expect(await ended).toMatchObject({ message: 'Connection terminated' })
})
