// Every form of a call that is to wait for the other side, over a mirror that is moved on by hand: who waits, and with what.
import { AsyncLocalStorage } from 'node:async_hooks'
import type pg from 'pg'
import Cursor from 'pg-cursor'
import { afterEach, describe, expect, it } from 'vitest'
import { Applied } from '../../../src/cutover/applied.js'
import type { AppliedMirror } from '../../../src/dual-write/await-applied.js'
import { KnownTexts } from '../../../src/reads/known-texts.js'
import { atRest, lease, reasonOf, sides, stateOf, WHERE_AM_I, WRITE, type Driven } from '../pool/fixture.js'

const { drive, keys, observe, until, urls } = await sides()

const texts = new KnownTexts()
const statements = await texts.load()
await statements.learn('old', async (text, values) => ({
  rows: await observe('old', text, [...(values ?? [])]),
}))

class Mirror implements AppliedMirror {
  active = true
  woken = 0
  readonly #waiting = new Set<() => void>()

  wake(): void {
    this.woken++
  }

  passed(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = (): void => {
        this.#waiting.delete(go)
        resolve()
      }
      signal.addEventListener('abort', () => {
        this.#waiting.delete(go)
        reject(signal.reason as Error)
      })
      this.#waiting.add(go)
      for (const look of this.#looks.splice(0)) look()
    })
  }

  readonly #looks: (() => void)[] = []

  get count(): number {
    return this.#waiting.size
  }

  /** Resolves when so many wait. */
  async waiting(count = 1): Promise<void> {
    while (this.#waiting.size < count) await new Promise<void>((resolve) => void this.#looks.push(resolve))
  }

  pass(): void {
    for (const go of this.#waiting) go()
  }
}

interface Awaited extends Driven {
  readonly mirror: Mirror
  readonly applied: Applied
}

let open: Applied[] = []

afterEach(() => {
  for (const applied of open.splice(0)) applied.close()
})

/** A pool whose calls wait for the other side, at most so long. */
function awaited({ timeoutMillis = 20_000, max = 4, heldReadsMax = 0 } = {}): Awaited {
  const driven = drive({ max }, { texts, heldReadsMax })
  const mirror = new Mirror()
  const applied = new Applied(driven.core, timeoutMillis, () => mirror)
  open.push(applied)
  driven.core.inFront.await(applied)
  applied.rest('mirror')
  return { ...driven, mirror, applied }
}

type Rows = { rows: readonly { side: string }[] }
type Callback = (error: Error | undefined, result?: unknown) => void

/** What a callback is given. */
const byCallback = (call: (callback: Callback) => unknown): Promise<unknown> =>
  new Promise((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result)))
  })

async function withLease<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  try {
    return await work(client)
  } finally {
    client.release()
  }
}

async function withClient<T>({ core }: Awaited, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new core.clients.Client({ connectionString: urls.old })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

async function transaction(client: pg.ClientBase): Promise<unknown> {
  await client.query('begin')
  const written = await client.query(WRITE, ['it'])
  await client.query('commit')
  return written
}

type Form = (given: Awaited) => Promise<unknown>

const RELEASED: readonly (readonly [string, Form])[] = [
  ['pool.query', ({ pool }) => pool.query(WRITE, ['it'])],
  ['pool.query with a config', ({ pool }) => pool.query({ text: WRITE, values: ['it'] })],
  [
    'pool.query with a callback',
    ({ pool }) => byCallback((done) => pool.query(WRITE, ['it'], done as never)),
  ],
  [
    'pool.query with a callback in place of values',
    ({ pool }) => byCallback((done) => pool.query(WRITE.replace('$1', `'it'`), done as never)),
  ],
  [
    'pool.query of a text with several statements',
    async ({ pool }) => {
      const text = `begin; ${WRITE.replace('$1', `'it'`)}; commit`
      const results = (await pool.query(text)) as unknown as Rows[]
      return results[1]
    },
  ],
]

const LEASED: readonly (readonly [string, Form])[] = [
  ['a statement of a leased client', ({ pool }) => withLease(pool, (client) => client.query(WRITE, ['it']))],
  [
    'a statement of a leased client with a callback',
    ({ pool }) =>
      withLease(pool, (client) => byCallback((done) => client.query(WRITE, ['it'], done as never))),
  ],
  ['the COMMIT of a leased client', ({ pool }) => withLease(pool, transaction)],
  [
    'a COMMIT with the beginning of the next transaction',
    ({ pool }) =>
      withLease(pool, async (client) => {
        await client.query('begin')
        const written = await client.query(WRITE, ['it'])
        try {
          await client.query('commit; begin')
        } finally {
          await client.query('rollback')
        }
        return written
      }),
  ],
  [
    'a COMMIT of what was prepared before',
    async ({ pool }) => {
      await observe('old', `begin; ${WRITE.replace('$1', `'it'`)}; prepare transaction 'awaited'`)
      await pool.query(`commit prepared 'awaited'`)
      return pool.query(WHERE_AM_I)
    },
  ],
  [
    'a statement of a client that was handed to a callback',
    ({ pool }) =>
      byCallback((done) => {
        pool.connect((error, client, release) => {
          if (error || !client) return done(error)
          client.query(WRITE, ['it'], (failure: Error | undefined, result: unknown) => {
            release()
            done(failure, result)
          })
        })
      }),
  ],
  ['a statement of cutover.Client', (given) => withClient(given, (client) => client.query(WRITE, ['it']))],
  ['the COMMIT of cutover.Client', (given) => withClient(given, transaction)],
]

it.each([...RELEASED, ...LEASED])('%s waits, and has its own result', async (_, form) => {
  const given = awaited()
  const { mirror } = given
  const result = form(given)
  await mirror.waiting()
  expect(await keys('old')).toEqual(['it'])
  expect(await stateOf(result)).toBe('pending')
  mirror.pass()
  expect(((await result) as Rows).rows).toEqual([{ side: 'old' }])
  expect(mirror.count).toBe(0)
})

it.each(RELEASED)('%s has given its connection back by then', async (_, form) => {
  const given = awaited({ max: 1 })
  const { core, mirror } = given
  const all = [form(given), form(given), form(given)]
  await mirror.waiting(3)
  expect(core.pools.old.inFlight).toBe(0)
  mirror.pass()
  await Promise.all(all)
})

it('serves 50 callers by a pool of 4 while the other side stands still', async () => {
  const { pool, mirror } = awaited()
  const all = Array.from({ length: 50 }, (_, at) => pool.query(WRITE, [String(at)]))
  await mirror.waiting(50)
  expect(await keys('old')).toHaveLength(50)
  expect(pool.waitingCount).toBe(0)
  mirror.pass()
  await Promise.all(all)
})

describe('nobody waits', () => {
  const none: readonly (readonly [string, Form])[] = [
    ['for a read', ({ pool }) => pool.query(WHERE_AM_I)],
    ['for a read with values', ({ pool }) => pool.query('select side from marker where side = $1', ['old'])],
    ['for a read of a leased client', ({ pool }) => withLease(pool, (client) => client.query(WHERE_AM_I))],
    [
      'for a transaction that has read',
      ({ pool }) =>
        withLease(pool, async (client) => {
          await client.query('begin')
          const read = await client.query(WHERE_AM_I)
          await client.query('commit')
          return read
        }),
    ],
    [
      'for a transaction that was rolled back',
      ({ pool }) =>
        withLease(pool, async (client) => {
          await client.query('begin')
          const written = await client.query(WRITE, ['it'])
          await client.query('rollback')
          return written
        }),
    ],
    [
      'for a setting',
      ({ pool }) =>
        withLease(pool, async (client) => {
          await client.query(`set application_name = 'it'`)
          return client.query(WHERE_AM_I)
        }),
    ],
    [
      'before the rows of a cursor',
      ({ pool }) =>
        withLease(pool, async (client) => {
          const cursor = client.query(new Cursor<{ side: string }>(WHERE_AM_I))
          const rows = await cursor.read(10)
          await cursor.close()
          return { rows }
        }),
    ],
    [
      'where nothing is mirrored',
      ({ pool, mirror }) => {
        mirror.active = false
        return pool.query(WRITE, ['it'])
      },
    ],
  ]
  it.each(none)('%s', async (_, form) => {
    const given = awaited()
    expect(((await form(given)) as Rows).rows).toEqual([{ side: 'old' }])
    expect(given.mirror.count).toBe(0)
  })

  it('for what the database refuses, whose error is its own', async () => {
    const { pool, mirror } = awaited()
    expect(await reasonOf(pool.query('insert into entry (key) values (null)'))).toMatchObject({
      code: '23502',
      table: 'entry',
    })
    const failed = byCallback((done) => pool.query('insert into nowhere values (1)', done as never))
    expect(await reasonOf(failed)).toMatchObject({ code: '42P01' })
    expect(mirror.count).toBe(0)
  })
})

it('a statement of a transaction does not wait, and its COMMIT does, also where a cursor has written', async () => {
  const { pool, mirror } = awaited()
  await withLease(pool, async (client) => {
    await client.query('begin')
    const cursor = client.query(new Cursor<{ side: string }>(WRITE, ['it']))
    expect(await cursor.read(1)).toEqual([{ side: 'old' }])
    await cursor.close()
    const commit = client.query('commit')
    await mirror.waiting()
    expect(await stateOf(commit)).toBe('pending')
    mirror.pass()
    await commit
  })
})

it('a COMMIT that nobody waits for before the client is given back still tells when it is done', async () => {
  const { pool, mirror, core } = awaited({ max: 1 })
  const client = await pool.connect()
  await client.query('begin')
  await client.query(WRITE, ['it'])
  const commit = client.query('commit')
  client.release()
  await mirror.waiting()
  expect(core.pools.old.inFlight).toBe(0)
  mirror.pass()
  expect(await commit).toMatchObject({ command: 'COMMIT' })
})

it('leaves a client as it was when it comes back, and when the phase has no mirror any more', async () => {
  const { pool, core, applied } = awaited({ max: 2 })
  const first = await pool.connect()
  const second = await pool.connect()
  expect(Object.hasOwn(first, 'query')).toBe(true)
  first.release()
  expect(Object.hasOwn(first, 'query')).toBe(false)
  core.inFront.await(undefined)
  applied.rest('old')
  expect(Object.hasOwn(second, 'query')).toBe(false)
  second.release()
  const third = await pool.connect()
  expect(Object.hasOwn(third, 'query')).toBe(false)
  third.release()
})

it('a callback is called in the context of its caller, as without a wait', async () => {
  const { pool, mirror } = awaited()
  const context = new AsyncLocalStorage<string>()
  const ask = (text: string): Promise<unknown> =>
    context.run('mine', () =>
      byCallback((done) => pool.query(text, () => done(undefined, context.getStore()))),
    )
  const waiting = ask(WRITE.replace('$1', `'it'`))
  await mirror.waiting()
  mirror.pass()
  expect(await waiting).toBe(await ask(WHERE_AM_I))
})

it('tells where it took too long that the work is done, in each form', async () => {
  const given = awaited({ timeoutMillis: 30 })
  for (const [, form] of [...RELEASED, ...LEASED])
    expect(await reasonOf(form(given))).toMatchObject({ code: 'ERR_NOT_APPLIED' })
  expect(await keys('old')).toHaveLength(RELEASED.length + LEASED.length)
  expect(given.mirror.count).toBe(0)
})

describe('in a hold', () => {
  it('the drain does not wait for those who wait for the other side', async () => {
    const driven = awaited()
    const { core, pool, mirror } = driven
    const all = Array.from({ length: 8 }, (_, at) => pool.query(WRITE, [String(at)]))
    await mirror.waiting(8)
    core.hold(lease())
    await core.drain(5_000)
    expect(mirror.count).toBe(8)
    core.release('new')
    mirror.pass()
    await Promise.all(all)
    await atRest(driven)
  })

  it('what a transaction asks beside itself after a wait is let through, and nobody else is', async () => {
    const driven = awaited()
    const { core, pool, mirror } = driven
    const nested = withLease(pool, async (client) => {
      await client.query(WRITE, ['outer'])
      await withLease(pool, (inner) => inner.query(WRITE, ['inner']))
      return pool.query(WRITE, ['last'])
    })
    await mirror.waiting()
    core.hold(lease())
    const drained = core.drain(5_000)
    const held = [withLease(pool, (client) => client.query(WRITE, ['held'])), pool.query(WRITE, ['held'])]
    for (const key of ['outer', 'inner', 'last']) {
      await until('old', `exists (select from entry where key = '${key}')`)
      await mirror.waiting()
      mirror.pass()
    }
    await nested
    await drained
    expect(await keys('old')).toEqual(['outer', 'inner', 'last'])
    core.release('new')
    await mirror.waiting(2)
    mirror.pass()
    await Promise.all(held)
    expect(await keys('new')).toEqual(['held', 'held'])
    await atRest(driven)
  })

  it('calls that were held wait as well', async () => {
    const driven = awaited()
    const { core, pool, mirror } = driven
    core.hold(lease())
    const held = pool.query<{ side: string }>(WRITE, ['held'])
    await core.drain(5_000)
    core.release('new')
    await mirror.waiting()
    expect(await stateOf(held)).toBe('pending')
    mirror.pass()
    expect((await held).rows).toEqual([{ side: 'new' }])
    await atRest(driven)
  })
})

describe('the relay is woken', () => {
  const writes: readonly (readonly [string, Form, number])[] = [
    ['by a write', ({ pool }) => pool.query(WRITE, ['it']), 1],
    [
      'by a write of cutover.Client',
      (given) => withClient(given, (client) => client.query(WRITE, ['it'])),
      1,
    ],
    ['by the end of a transaction alone', ({ pool }) => withLease(pool, transaction), 1],
    [
      'by each write of a long lease',
      ({ pool }) =>
        withLease(pool, async (client) => {
          await client.query(WRITE, ['it'])
          await client.query(WRITE, ['it'])
        }),
      2,
    ],
    ['by no read', ({ pool }) => pool.query(WHERE_AM_I), 0],
  ]
  it.each(writes)('%s', async (_, form, times) => {
    const given = awaited()
    const { core, mirror } = given
    core.inFront.await(undefined)
    await form(given)
    expect(mirror.woken).toBe(times)
  })

  it('by the side that writes, and by nobody where there is no mirror', async () => {
    const { core, pool, mirror, applied } = awaited()
    core.inFront.await(undefined)
    await pool.query(WRITE, ['one'])
    applied.rest('shadow')
    await pool.query(WRITE, ['two'])
    expect(mirror.woken).toBe(2)
    applied.rest('live')
    await pool.query(WRITE, ['three'])
    expect(mirror.woken).toBe(2)
    core.release('new')
    await pool.query(WRITE, ['four'])
    expect(mirror.woken).toBe(3)
    applied.rest('new')
    await pool.query(WRITE, ['five'])
    expect(mirror.woken).toBe(3)
    const [client] = core.pools.new.inner._clients
    expect(client?.connection?.listenerCount('commandComplete')).toBe(1)
  })
})
