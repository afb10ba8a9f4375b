// Clients of a library's own pool in the middle of a cutover: nested work, ends, failures, and many callers at once.
import { inspect } from 'node:util'
import pg from 'pg'
import Cursor from 'pg-cursor'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { innerPool } from '../../../src/pool/pg-internals.js'
import { startProxy } from '../../support/proxy.js'
import { flip, atRest, lease, reasonOf, sideOf, sides, stateOf, turn, WRITE, type Driven } from './fixture.js'

const { drive, keys, observe, terminate, until, urls } = await sides()

let opened: { end(): Promise<void> }[] = []
afterEach(async () => {
  const all = opened
  opened = []
  await Promise.all(all.map((one) => one.end().catch(() => {})))
})

/** A pool as a library makes it, over clients that move. */
function libraryPool({ core }: Driven, config: pg.PoolConfig = {}): pg.Pool {
  const pool = new pg.Pool({ ...config, Client: core.clients.Client })
  pool.on('error', () => {})
  const end = async (): Promise<void> => {
    if (!pool.ending) void pool.end()
    // Only after a failure is any of them out, and the pool would wait for it.
    await Promise.all(innerPool(pool)._clients.map((client) => client.end()))
  }
  opened.push({ end })
  return pool
}

async function clientOf({ core }: Driven, config: pg.ClientConfig = {}): Promise<pg.Client> {
  const client = new core.clients.Client(config)
  opened.push(client)
  await client.connect()
  return client
}

const pidOf = (client: object): number => (client as { processID: number }).processID

describe('work inside a transaction', () => {
  it('may use another client while held, and the drain ends with both', async () => {
    const driven = drive()
    const pool = libraryPool(driven)
    const outer = await pool.connect()
    const inner = await pool.connect()
    const other = await clientOf(driven)
    await outer.query('begin')
    driven.core.hold(lease())
    const drained = driven.core.drain(10_000)
    // First in the line, so that whoever only lets the oldest through lets this one.
    const stranger = other.query(WRITE, ['stranger'])
    await outer.query(WRITE, ['outer'])
    // In the turn of the outer client's answer.
    await inner.query(WRITE, ['nested'])
    await inner.query(WRITE, ['nested again'])
    await outer.query('commit')
    await drained
    expect(await stateOf(stranger)).toBe('pending')
    outer.release()
    inner.release()
    driven.core.release('new')
    await stranger
    expect([await keys('old'), await keys('new')]).toEqual([
      ['outer', 'nested', 'nested again'],
      ['stranger'],
    ])
  })

  it('may use another client behind a timer, since the drain sees that all is silent', async () => {
    const driven = drive()
    const outer = await clientOf(driven)
    const inner = await clientOf(driven)
    await outer.query('begin')
    driven.core.hold(lease())
    const drained = driven.core.drain(10_000)
    await turn()
    await inner.query(WRITE, ['nested'])
    await outer.query('commit')
    await drained
    expect(await keys('old')).toEqual(['nested'])
  })

  it('may use the pool of the facade while held', async () => {
    const driven = drive()
    const outer = await clientOf(driven)
    await outer.query('begin')
    driven.core.hold(lease())
    const drained = driven.core.drain(10_000)
    await outer.query('select 1')
    await driven.pool.query(WRITE, ['nested'])
    await outer.query('commit')
    await drained
    expect(await keys('old')).toEqual(['nested'])
  })

  it('may use a client from inside a pin', async () => {
    const driven = drive()
    const client = await clientOf(driven)
    await driven.core.arm()
    const pinned = driven.core.admission.pin(async (side) => {
      driven.core.hold(lease())
      const drained = driven.core.drain(10_000)
      await turn()
      return [side, await sideOf(client), drained] as const
    })
    const [side, seen, drained] = await pinned
    await drained
    expect([side, seen]).toEqual(['old', 'old'])
  })
})

it('a BEGIN that nobody waited for takes what follows it along', async () => {
  const driven = drive()
  const client = await clientOf(driven)
  const begun = client.query('begin')
  driven.core.hold(lease())
  const drained = driven.core.drain(10_000)
  await Promise.all([begun, client.query(WRITE, ['after begin']), client.query('commit')])
  await drained
  expect(await keys('old')).toEqual(['after begin'])
})

it('one client that many callers share does not keep a drain from ending', async () => {
  const driven = drive()
  const client = await clientOf(driven)
  const stop = new AbortController()
  const caller = async (): Promise<void> => {
    while (!stop.signal.aborted) await client.query(WRITE, ['shared'])
  }
  const callers = Array.from({ length: 4 }, caller)
  await until('old', `exists (select from entry)`)
  driven.core.hold(lease())
  await driven.core.drain(10_000)
  const before = (await keys('old')).length
  driven.core.release('new')
  await until('new', `exists (select from entry)`)
  stop.abort()
  await Promise.all(callers)
  expect((await keys('old')).length).toBe(before)
})

it('a client that was let through, since a silent lease may wait for it, does not keep a drain from ending', async () => {
  const driven = drive()
  const silent = await driven.pool.connect()
  const client = await clientOf(driven)
  await silent.query('begin')
  driven.core.hold(lease())
  const drained = driven.core.drain(2_000)
  const stop = new AbortController()
  let answers = 0
  let called = Promise.resolve()
  await new Promise<void>((resolve) => {
    called = (async () => {
      while (!stop.signal.aborted) {
        await client.query('select 1')
        if (++answers === 3) resolve()
      }
    })()
  })
  await silent.query('commit')
  silent.release()
  const outcome = await drained.catch((error: Error) => error)
  stop.abort()
  driven.core.release('new')
  await called
  expect(outcome).toBe(undefined)
})

it('a statement that cannot be sent ends its client alone, and the others go on', async () => {
  const driven = drive()
  const client = await clientOf(driven)
  const other = await clientOf(driven)
  const errors: Error[] = []
  client.on('error', (error) => errors.push(error))
  driven.core.hold(lease())
  await driven.core.drain(10_000)
  const unsent = (): never => {
    throw new TypeError('no text')
  }
  const bad = Object.assign(new pg.Query('select 1'), { submit: unsent })
  const told = new Promise((resolve) => bad.once('error', resolve))
  client.query(bad)
  const behind = reasonOf(client.query(WRITE, ['behind']))
  const answered = other.query(WRITE, ['other'])
  driven.core.release('old')
  await answered
  expect(await told).toMatchObject({ code: 'ERR_SESSION', cause: { message: 'no text' } })
  expect(await behind).toBeInstanceOf(Error)
  expect(errors[0]).toBe(await told)
  expect(await keys('old')).toEqual(['other'])
})

it('a cursor ends where it began', async () => {
  const driven = drive()
  const client = await clientOf(driven)
  const cursor = client.query(new Cursor<{ side: string }>('select side from marker, generate_series(1, 4)'))
  expect(await cursor.read(1)).toEqual([{ side: 'old' }])
  driven.core.hold(lease())
  const drained = driven.core.drain(10_000)
  const later = sideOf(client)
  expect(await cursor.read(1)).toEqual([{ side: 'old' }])
  // Let through as what the silent cursor may be waiting for, which nothing can be that waits behind the cursor itself.
  expect(await sideOf(driven.pool)).toBe('old')
  expect(await stateOf(drained)).toBe('pending')
  await cursor.close()
  await drained
  driven.core.release('new')
  expect(await later).toBe('new')
})

it('a transaction that outlives a forced way stays, and moves when it is over', async () => {
  const driven = drive()
  const client = await clientOf(driven)
  const before = pidOf(client)
  await client.query('begin')
  driven.core.release('new')
  await atRest(driven)
  await driven.core.sweep('old')
  await client.query(WRITE, ['stays'])
  await client.query('commit')
  await until('old', 'not exists (select from pg_stat_activity where pid = $1)', [before])
  await client.query(WRITE, ['moved'])
  expect([await keys('old'), await keys('new')]).toEqual([['stays'], ['moved']])
})

describe('a hold that', () => {
  it('is given up fails what waits as retryable, and nothing was sent', async () => {
    const driven = drive()
    const client = await clientOf(driven)
    driven.core.hold(lease(1))
    const given = reasonOf(client.query(WRITE, ['given up']))
    const read = reasonOf(client.query(new Cursor('select 1')).read(1))
    expect(await given).toMatchObject({ code: '57P03', severity: 'FATAL' })
    expect(await read).toMatchObject({ code: '57P03' })
    driven.core.release('old')
    await client.query(WRITE, ['goes on'])
    expect(await keys('old')).toEqual(['goes on'])
  })

  it('is taken back lets what waits go on where it was', async () => {
    const driven = drive()
    const client = await clientOf(driven)
    const before = pidOf(client)
    driven.core.hold(lease())
    const held = sideOf(client)
    driven.core.release('old')
    expect([await held, pidOf(client)]).toEqual(['old', before])
  })
})

describe('a client that is ended', () => {
  it('while held fails what waits as pg does', async () => {
    const driven = drive()
    const client = await clientOf(driven)
    driven.core.hold(lease())
    const held = reasonOf(client.query(WRITE, ['ended']))
    await client.end()
    expect(await held).toMatchObject({ message: 'Connection terminated' })
    expect(driven.core.line.length).toBe(0)
    expect(await reasonOf(client.query('select 1'))).toMatchObject({
      message: 'Client was closed and is not queryable',
    })
  })

  it('while it moves leaves nothing behind', async () => {
    const driven = drive()
    const client = await clientOf(driven, { application_name: 'ended' })
    await flip(driven.core, 'new')
    const held = reasonOf(client.query(WRITE, ['ended']))
    await client.end()
    expect(await held).toMatchObject({ message: 'Connection terminated' })
    const gone = `not exists (select from pg_stat_activity where application_name = 'ended')`
    await Promise.all([until('old', gone), until('new', gone)])
  })

  it('before it was connected is ended', async () => {
    const driven = drive()
    const client = new driven.core.clients.Client()
    await client.end()
    expect(await reasonOf(client.connect())).toBeInstanceOf(Error)
  })
})

describe('a side that', () => {
  it('cannot be reached ends the client with the reason', async () => {
    const driven = drive({}, { new: { connectionString: 'postgres://nobody@127.0.0.1:1/none' } })
    const client = await clientOf(driven)
    const ended = new Promise<void>((resolve) => {
      client.on('end', resolve)
    })
    driven.core.release('new')
    const reason = await reasonOf(client.query(WRITE, ['unreachable']))
    expect(reason).toMatchObject({ code: 'ERR_SESSION', cause: { code: 'ECONNREFUSED' } })
    await ended
  })

  it('does not answer any more when the client leaves it ends the client in time', async () => {
    const proxy = await startProxy(Number(new URL(urls.old).port))
    opened.push({ end: () => proxy.close() })
    let connected: () => void = () => {}
    const arrived = new Promise<void>((resolve) => {
      connected = resolve
    })
    class Seen extends pg.Client {
      constructor(config: pg.ClientConfig = {}) {
        super(config)
        if (config.application_name === 'moves') this.once('connect', connected)
      }
    }
    const driven = drive({}, { old: { connectionString: proxy.url(urls.old) }, new: { Client: Seen } })
    const client = await clientOf(driven, { application_name: 'moves' })
    client.on('error', () => {})
    await flip(driven.core, 'new')
    proxy.stall()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const left = reasonOf(client.query(WRITE, ['stalled']))
    await arrived
    await vi.advanceTimersByTimeAsync(5_000)
    vi.useRealTimers()
    expect(await left).toMatchObject({
      code: 'ERR_SESSION',
      cause: { message: 'it took longer than 5000 ms' },
    })
    await proxy.resume()
    expect([await keys('old'), await keys('new')]).toEqual([[], []])
  })

  it('refuses the value of a setting ends the client with its name, and tells nobody the value', async () => {
    const driven = drive()
    const client = await clientOf(driven)
    client.on('error', () => {})
    const warnings: string[] = []
    driven.events.on('warning', ({ message }) => warnings.push(message))
    await observe('old', 'create text search configuration secret (copy = english)')
    await client.query(`set default_text_search_config = 'public.secret'; set app.tenant = 'seven'`)
    await flip(driven.core, 'new')
    const reason = await reasonOf(client.query('select 1'))
    expect(reason.message).toContain('"default_text_search_config" of its session (SQLSTATE 22023)')
    expect(inspect(reason) + warnings.join()).not.toContain('secret')
    await observe('old', 'drop text search configuration secret')
  })

  it('refuses a setting of the session ends the client with the reason', async () => {
    const driven = drive()
    const client = await clientOf(driven)
    await observe('old', 'create role only_here')
    try {
      await client.query('set role only_here')
      await flip(driven.core, 'new')
      const reason = await reasonOf(client.query('select 1'))
      expect(reason).toMatchObject({ code: 'ERR_SESSION' })
      expect(reason.message).toContain('only_here')
    } finally {
      await observe('old', 'drop role only_here')
    }
  })

  it('dies with the session on it while nothing moves is told of, and a pool goes on', async () => {
    const driven = drive()
    const pool = libraryPool(driven, { max: 1 })
    const client = await pool.connect()
    client.on('error', () => {})
    driven.core.hold(lease())
    const held = reasonOf(client.query(WRITE, ['lost']))
    await terminate('old', pidOf(client))
    expect(await held).toBeInstanceOf(Error)
    client.release()
    driven.core.release('new')
    expect(await sideOf(pool)).toBe('new')
  })
})

describe('where no phase is known', () => {
  it('connect waits for one, and goes where it says', async () => {
    const driven = drive({}, { unknown: true })
    const client = new driven.core.clients.Client()
    opened.push(client)
    const seen = client.connect().then(() => sideOf(client))
    expect(await stateOf(seen)).toBe('pending')
    driven.core.release('new')
    expect(await seen).toBe('new')
  })

  it('and none is coming, connect fails', async () => {
    const driven = drive({}, { unknown: true })
    const client = new driven.core.clients.Client()
    const waiting = reasonOf(client.connect())
    driven.core.refuse()
    expect(await waiting).toMatchObject({ code: 'ERR_PHASE_UNKNOWN' })
    expect(await reasonOf(new driven.core.clients.Client().connect())).toMatchObject({
      code: 'ERR_PHASE_UNKNOWN',
    })
  })
})

it('after the end of the migration statements fail, but for a transaction that is under way', async () => {
  const driven = drive()
  const idle = await clientOf(driven)
  const busy = await clientOf(driven)
  await busy.query('begin')
  await driven.core.end(false)
  expect(await reasonOf(idle.query('select 1'))).toMatchObject({
    message: 'Cannot use a pool after calling end on the pool',
  })
  await busy.query(WRITE, ['last'])
  await busy.query('commit')
  expect(await keys('old')).toEqual(['last'])
})

it('what the library listened to on the connection before it was made is heard', async () => {
  const driven = drive()
  const client = new driven.core.clients.Client()
  opened.push(client)
  const heard: string[] = []
  client.connection.on('parameterStatus', ({ parameterName }: { parameterName: string }) => {
    heard.push(parameterName)
  })
  driven.core.release('new')
  await atRest(driven)
  await client.connect()
  expect(heard).toContain('server_version')
  expect(await sideOf(client)).toBe('new')
})

it('a fence that a client meets is told to the gate', async () => {
  const driven = drive({}, { onFence: () => undefined })
  const client = await clientOf(driven)
  const fences: unknown[] = []
  driven.events.on('fence', (event) => fences.push(event))
  await driven.pool.query(
    `create trigger fence before insert on entry for each statement execute function refuse('orders', '7')`,
  )
  expect(await reasonOf(client.query(WRITE, ['fenced']))).toMatchObject({ code: '25006' })
  expect(fences).toMatchObject([{ side: 'old', epoch: 7 }])
})

it('two flips under 16 callers lose nothing, repeat nothing and leave nothing behind', async () => {
  const driven = drive()
  const pool = libraryPool(driven, { max: 8, application_name: 'callers' })
  const acknowledged: string[] = []
  const stop = new AbortController()
  const caller = async (_: unknown, at: number): Promise<void> => {
    for (let turnOf = 0; !stop.signal.aborted; turnOf++) {
      const key = `${at}.${turnOf}`
      if (turnOf % 4 === 0) {
        const client = await pool.connect()
        await client.query('begin')
        await client.query(WRITE, [key])
        if (turnOf % 8 === 0) await driven.pool.query('select 1')
        await client.query('commit')
        client.release()
      } else await pool.query(WRITE, [key])
      acknowledged.push(key)
    }
  }
  const callers = Array.from({ length: 16 }, caller)
  for (const side of ['new', 'old'] as const) {
    const seen = acknowledged.length
    await until(driven.core.side, `(select count(*) from entry) > 50`)
    expect(acknowledged.length).toBeGreaterThan(seen)
    const left = driven.core.side
    await flip(driven.core, side, 20_000)
    const written = (await keys(left)).length
    await atRest(driven)
    await driven.core.sweep(left)
    expect((await keys(left)).length, `written on ${left} after the flip`).toBe(written)
  }
  stop.abort()
  await Promise.all(callers)
  expect([...(await keys('old')), ...(await keys('new'))].toSorted()).toEqual(acknowledged.toSorted())
  await until('new', `not exists (select from pg_stat_activity where application_name = 'callers')`)
})
