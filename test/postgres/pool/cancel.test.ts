// Requests to cancel reach the server that runs the statement: at rest, while held, and where it was left behind.
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { otherSide, type Side } from '../../../src/phase/phases.js'
import { backendToCancel, sideOfBackend } from '../../../src/pool/cancel.js'
import type { SidePool } from '../../../src/pool/side-pool.js'
import { atRest, flip, lease, reasonOf, sides, type Driven } from './fixture.js'

const { drive, until } = await sides()

const RUNNING = `exists (select from pg_stat_activity where pid = $1 and state = 'active' and query like '%pg_sleep%')`

interface Sleeper {
  readonly client: pg.PoolClient
  readonly processId: number
  /** Settled when the statement was cancelled or its backend terminated. */
  readonly slept: Promise<Error & { readonly code?: string }>
}

/** A statement under way that only a cancel will end in time. */
async function sleeping({ pool }: Driven, side: Side): Promise<Sleeper> {
  const client = await pool.connect()
  client.on('error', () => {})
  const { processID: processId } = client as unknown as { processID: number }
  const slept = reasonOf(client.query('select pg_sleep(600)'))
  await until(side, RUNNING, [processId])
  return { client, processId, slept }
}

/** As Kysely and Knex cancel: by one more client beside the pool. */
async function besideThePool({ pool }: Driven, text: string, values: unknown[]): Promise<void> {
  const { Client } = pool as unknown as { readonly Client: typeof pg.Client }
  const client = new Client(pool.options)
  await client.connect()
  await client.query(text, values)
  await client.end()
}

async function byAClient({ core }: Driven, text: string, values: unknown[]): Promise<void> {
  const client = new core.clients.Client()
  await client.connect()
  await client.query(text, values)
  await client.end()
}

async function byThePool({ pool }: Driven, text: string, values: unknown[]): Promise<void> {
  await pool.query(text, values)
}

const ways = [
  ['pool.query', byThePool],
  ['one more client beside the pool', besideThePool],
  ['a client of cutover.Client', byAClient],
] as const

describe.each(ways)('by %s', (_, ask) => {
  it('a statement is cancelled at rest, on either side', async () => {
    const driven = drive()
    for (const side of ['old', 'new'] as const) {
      const { client, processId, slept } = await sleeping(driven, side)
      await ask(driven, 'select pg_cancel_backend($1)', [processId])
      expect(await slept).toMatchObject({ code: '57014' })
      client.release()
      if (side === 'old') await flip(driven.core, 'new')
      await atRest(driven)
    }
  })

  it('a statement that keeps a drain from ending is cancelled while all else is held', async () => {
    const driven = drive()
    const { client, processId, slept } = await sleeping(driven, 'old')
    driven.core.hold(lease())
    const drained = driven.core.drain(20_000)
    const order: string[] = []
    const held = driven.pool.query('select 1').finally(() => order.push('held'))
    await ask(driven, 'select pg_catalog.pg_cancel_backend($1::int);', [processId])
    expect(await slept).toMatchObject({ code: '57014' })
    // From here on the client is out and silent, so that the drain may let through what it could be waiting for.
    expect(order).toEqual([])
    client.release()
    await drained
    driven.core.release('new')
    await held
  })

  it('a backend that keeps a drain from ending is terminated while all else is held', async () => {
    const driven = drive()
    const { client, processId, slept } = await sleeping(driven, 'old')
    driven.core.hold(lease())
    const drained = driven.core.drain(20_000)
    await ask(driven, `select pg_terminate_backend(${processId})`, [])
    expect(await slept).toMatchObject({ code: '57P01' })
    client.release(true)
    await drained
  })
})

describe('a statement that was left on the other side', () => {
  it.each(ways.slice(1, 2))('is cancelled there at rest by %s', async (_, ask) => {
    const driven = drive()
    const { client, processId, slept } = await sleeping(driven, 'old')
    driven.core.release('new')
    await atRest(driven)
    await ask(driven, 'SELECT pg_cancel_backend($1);', [processId])
    expect(await slept).toMatchObject({ code: '57014' })
    client.release()
  })

  it.each(ways)('is cancelled there while held again, by %s', async (_, ask) => {
    const driven = drive()
    const { client, processId, slept } = await sleeping(driven, 'old')
    driven.core.release('new')
    await atRest(driven)
    driven.core.hold(lease())
    await ask(driven, 'select pg_cancel_backend($1)', [processId])
    expect(await slept).toMatchObject({ code: '57014' })
    client.release()
  })
})

describe("pg's own client.cancel", () => {
  it.each(['old', 'new'] as const)('reaches a statement on the %s side', async (side) => {
    const driven = drive()
    if (side === 'new') await flip(driven.core, side)
    await atRest(driven)
    const target = new driven.core.clients.Client()
    await target.connect()
    const query = new pg.Query('select pg_sleep(600)')
    const failed = new Promise((resolve) => query.on('error', resolve))
    target.query(query)
    await until(side, RUNNING, [(target as unknown as { processID: number }).processID])
    // It has been left, or everything is held: the request goes where the statement is.
    if (side === 'old') driven.core.release(otherSide(side))
    else driven.core.hold(lease())
    const canceller = new driven.core.clients.Client() as unknown as {
      cancel(client: unknown, query: unknown): void
    }
    canceller.cancel(target, query)
    expect(await failed).toMatchObject({ code: '57014' })
    await target.end()
  })
})

describe('the text of a request', () => {
  it.each([
    ['select pg_cancel_backend($1)', [7], 7],
    ['SELECT pg_cancel_backend($1);', ['7'], 7],
    [' select pg_catalog.pg_terminate_backend( $2::int , 5000)', [1, 7], 7],
    ['select pg_cancel_backend(7) as done', undefined, 7],
    [`select "pg_cancel_backend"('7')`, undefined, 7],
    [{ text: 'select pg_cancel_backend($1)', values: [7] }, undefined, 7],
    ['select pg_cancel_backend($1)', undefined, undefined],
    ['select pg_cancel_backend(pid) from pg_stat_activity', undefined, undefined],
    ['select pg_cancel_backend(7); delete from entry', undefined, undefined],
    ['insert into entry (key) values (pg_cancel_backend(7))', undefined, undefined],
    ['select 1', undefined, undefined],
    [undefined, undefined, undefined],
  ])('%j with %j names the backend %s', (config, values, processId) => {
    expect(backendToCancel(config, values)).toBe(processId)
  })
})

describe('the side of a backend that has been seen on both', () => {
  const pool = (known: boolean, client?: object): SidePool =>
    ({
      watching: new Map(client ? [[client, () => {}]] : []),
      backends: { all: () => (known ? [7] : []) },
    }) as unknown as SidePool
  const idle = { processID: 7, _queryQueue: [], readyForQuery: true, getTransactionStatus: () => 'I' }
  const busy = { ...idle, _activeQuery: {} }

  it.each([
    ['unknown anywhere', pool(false), pool(false), 'old'],
    ['known on the other only', pool(false), pool(true), 'new'],
    ['known on both', pool(true), pool(true), 'old'],
    ['connected on the other, gone here', pool(true), pool(true, idle), 'new'],
    ['at work on the other, idle here', pool(true, idle), pool(true, busy), 'new'],
    ['idle on the other, at work here', pool(true, busy), pool(true, idle), 'old'],
  ] as const)('%s', (_, old, opened, expected) => {
    expect(sideOfBackend({ side: 'old', pools: { old, new: opened } }, 7)).toBe(expected)
  })
})
