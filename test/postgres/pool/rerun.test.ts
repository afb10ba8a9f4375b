// A statement that met the fence runs once more on the new writer if it is one plain statement of `pool.query`; everything else fails as retryable.
import { AsyncLocalStorage } from 'node:async_hooks'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { from as copyFrom } from 'pg-copy-streams'
import Cursor from 'pg-cursor'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import type { Side } from '../../../src/phase/phases.js'
import type { HoldLease } from '../../../src/pool/gate.js'
import { loadStatements } from '../../../src/reads/statements.js'
import { atRest, eventWhere, lease, reasonOf, sideOf, sides, turn, WRITE, type Driven } from './fixture.js'

const { drive, fence, unfence, keys, observe, urls } = await sides()

for (const side of ['old', 'new'] as const)
  await observe(
    side,
    `create table free (key text);
     create procedure half(key text) language plpgsql as $$
       begin insert into free values (key); commit; insert into entry (key) values (key); end $$;
     create function write(key text) returns void language sql as 'insert into entry (key) values (key)'`,
  )

/** The row is re-read and says that the other side writes now. */
const moved = (): HoldLease => lease(60_000, () => Promise.resolve('new'))

async function armed(
  config: pg.PoolConfig = {},
  onFence: () => HoldLease | undefined = moved,
): Promise<Driven> {
  const driven = drive(config, { onFence })
  await driven.core.arm()
  await fence('old', 7)
  return driven
}

const FENCE = { code: '25006', severity: 'ERROR', message: 'pg-cutover fence: migration "orders" epoch 7' }

describe('one plain statement of pool.query', () => {
  const text = `insert into entry (key) values ('key')`
  it.each<[string, (pool: pg.Pool) => Promise<unknown>]>([
    ['a text', (pool) => pool.query(text)],
    ['with values', (pool) => pool.query(WRITE, ['key'])],
    [
      'with a callback',
      (pool) =>
        new Promise((resolve, reject) => {
          pool.query(WRITE, ['key'], (error, result) => (error ? reject(error) : resolve(result)))
        }),
    ],
    [
      'with a callback and no values',
      (pool) =>
        new Promise((resolve, reject) => {
          pool.query(text, (error: Error, result: unknown) => (error ? reject(error) : resolve(result)))
        }),
    ],
    ['a config', (pool) => pool.query({ text: WRITE, values: ['key'] })],
    ['a named one', (pool) => pool.query({ name: 'write', text: WRITE, values: ['key'] })],
    ['a config in array mode', (pool) => pool.query({ text: WRITE, values: ['key'], rowMode: 'array' })],
    ['a CTE that writes', (pool) => pool.query(`with w as (${text} returning 1) select * from w`)],
    ['a function that writes', (pool) => pool.query(`select write('key')`)],
  ])('runs once more on the new writer: %s', async (_, call) => {
    const driven = await armed()
    await call(driven.pool)
    expect([await keys('old'), await keys('new')]).toEqual([[], ['key']])
    await atRest(driven)
    expect(await sideOf(driven.pool)).toBe('new')
  })

  it('gives its result as any other', async () => {
    const { pool } = await armed()
    const result = await pool.query<{ side: Side }>(WRITE, ['key'])
    expect(result).toMatchObject({ rows: [{ side: 'new' }], rowCount: 1, command: 'INSERT' })
  })

  it('fifty at once cost no connection, and each runs once', async () => {
    const { pool, inner } = await armed({ max: 4 })
    await Promise.all(Array.from({ length: 4 }, () => pool.query('select pg_sleep(0.01)')))
    const before = inner.old.totalCount
    const changes: string[] = []
    for (const event of ['connect', 'remove']) inner.old.on(event as 'connect', () => changes.push(event))
    const all = Array.from({ length: 50 }, (_, nr) => String(nr))
    await Promise.all(all.map((key) => pool.query(WRITE, [key])))
    expect([await keys('old'), (await keys('new')).toSorted()]).toEqual([[], all.toSorted()])
    expect([changes, inner.old.totalCount]).toEqual([[], before])
  })

  it('goes before what came later', async () => {
    let letGo = (_side: Side): void => {}
    const answer = new Promise<Side>((resolve) => {
      letGo = resolve
    })
    const driven = await armed({ max: 1 }, () => lease(60_000, () => answer))
    const { core, pool, events } = driven
    const held = eventWhere(events, 'route', ({ route }) => route === 'held')
    const first = pool.query(WRITE, ['first'])
    await held
    const second = pool.query(WRITE, ['second'])
    while (core.line.length < 2) await turn()
    letGo('new')
    await Promise.all([first, second])
    expect(await keys('new')).toEqual(['first', 'second'])
  })

  it('keeps the context of its caller', async () => {
    const storage = new AsyncLocalStorage<string>()
    const seen: (string | undefined)[] = []
    class Watched extends pg.Client {
      override query = ((...args: unknown[]) => {
        seen.push(storage.getStore())
        return Reflect.apply(pg.Client.prototype.query, this, args) as unknown
      }) as pg.Client['query']
    }
    const { pool } = await armed({ Client: Watched, max: 1 })
    // Whoever opens a connection gives it a context of its own.
    await sideOf(pool)
    seen.length = 0
    await storage.run('caller', () => pool.query(WRITE, ['key']))
    expect(seen).toEqual(['caller', 'caller'])
  })

  it('runs on the old writer where the attempt was aborted', async () => {
    const driven = drive(
      {},
      {
        onFence: () =>
          lease(60_000, async () => {
            await unfence('old')
            return 'old'
          }),
      },
    )
    await driven.core.arm()
    await fence('old', 7)
    await driven.pool.query(WRITE, ['key'])
    expect([await keys('old'), await keys('new')]).toEqual([['key'], []])
  })

  it('fails when it meets a fence again', async () => {
    const { pool } = await armed()
    await fence('new', 7)
    expect(await reasonOf(pool.query(WRITE, ['key']))).toMatchObject(FENCE)
    expect([await keys('old'), await keys('new')]).toEqual([[], []])
  })

  it('fails with the error of its second run, if that has one', async () => {
    const { pool } = await armed()
    await observe('new', 'alter table entry add constraint never check (false) not valid')
    try {
      expect(await reasonOf(pool.query(WRITE, ['key']))).toMatchObject({ code: '23514', constraint: 'never' })
    } finally {
      await observe('new', 'alter table entry drop constraint never')
    }
  })

  it('is given up as retryable when nobody knows who writes', async () => {
    let asked = 0
    const driven = await armed({}, () =>
      lease(60_000, async () => {
        if (++asked > 1) return 'new'
        while (driven.core.line.length === 0) await turn()
        throw new Error('no answer')
      }),
    )
    expect(await reasonOf(driven.pool.query(WRITE, ['key']))).toMatchObject({ code: '57P03' })
    expect([await keys('old'), await keys('new')]).toEqual([[], []])
  })
})

describe('everything else that meets the fence fails, and is on neither side twice', () => {
  const leased =
    (work: (client: pg.PoolClient) => Promise<unknown>) =>
    async (pool: pg.Pool): Promise<unknown> => {
      const client = await pool.connect()
      try {
        return await work(client)
      } finally {
        client.release()
      }
    }
  const insert = `insert into entry (key) values ('key')`
  it.each<[string, (pool: pg.Pool) => Promise<unknown>]>([
    ['several statements', (pool) => pool.query(`${insert}; ${insert}`)],
    ['DO', (pool) => pool.query(`do $$ begin ${insert}; end $$`)],
    ['EXPLAIN ANALYZE', (pool) => pool.query(`explain analyze ${insert}`)],
    [
      'a text that does not parse here',
      (pool) => pool.query(`${insert} on conflict`).catch(() => pool.query(`do $$ begin ${insert}; end $$`)),
    ],
    ['a checked-out client', leased((client) => client.query(WRITE, ['key']))],
    [
      'a transaction',
      leased(async (client) => {
        await client.query('begin')
        await client.query(WRITE, ['key'])
      }),
    ],
    [
      'COPY',
      leased(async (client) => {
        await pipeline(Readable.from(['key\n']), client.query(copyFrom('copy entry (key) from stdin')))
      }),
    ],
    [
      'a cursor',
      leased(async (client) => {
        const cursor = client.query(new Cursor(`${insert} returning key`))
        await cursor.read(1)
      }),
    ],
  ])('%s', async (_, call) => {
    const driven = await armed()
    expect(await reasonOf(call(driven.pool))).toMatchObject({ code: '25006' })
    await atRest(driven)
    expect([await keys('old'), await keys('new')]).toEqual([[], []])
    expect(await sideOf(driven.pool)).toBe('new')
  })

  it('CALL with a COMMIT inside, whose first half is done already', async () => {
    const { pool } = await armed()
    expect(await reasonOf(pool.query(`call half('key')`))).toMatchObject(FENCE)
    expect(await observe('old', 'select key from free')).toEqual([{ key: 'key' }])
    expect([await observe('new', 'select key from free'), await keys('new')]).toEqual([[], []])
    await observe('old', 'delete from free')
  })

  it('a statement on a connection that was given back inside a transaction', async () => {
    const { pool } = await armed({ max: 1 })
    await pool.query('begin')
    expect(await reasonOf(pool.query(WRITE, ['key']))).toMatchObject(FENCE)
    expect([await keys('old'), await keys('new')]).toEqual([[], []])
  })

  it('a statement whose connection is lost before the server says how it stands', async () => {
    const cutter = await startCutter()
    const driven = drive({}, { old: { connectionString: cutter.url }, onFence: moved })
    const { core, pool } = driven
    pool.on('error', () => {})
    await core.arm()
    await fence('old', 7)
    const reason = await reasonOf(pool.query(WRITE, ['key']))
    expect([reason.code, reason.message]).toSatisfy(
      ([code, message]) => code === '25006' || /terminated/.test(String(message)),
    )
    await atRest(driven)
    expect([await keys('old'), await keys('new')]).toEqual([[], []])
    expect(await sideOf(pool)).toBe('new')
    await cutter.close()
  })

  it.each<[string, string | undefined]>([
    ['the fence of another migration', 'other'],
    ['a read-only session', undefined],
  ])('%s is none of ours', async (_, name) => {
    const asked: unknown[] = []
    const driven = drive({ max: 1 }, { onFence: () => (asked.push(1), moved()) })
    await driven.core.arm()
    if (name !== undefined) await fence('old', 7, name)
    else await driven.pool.query('set default_transaction_read_only = on')
    expect(await reasonOf(driven.pool.query(WRITE, ['key']))).toMatchObject({ code: '25006' })
    expect([asked, driven.core.state.kind, await keys('new')]).toEqual([[], 'armed', []])
  })
})

describe('in the direct route', () => {
  it('the error reaches the caller, the process learns of it, and the next call goes to the new writer', async () => {
    const driven = drive({}, { onFence: moved })
    const { pool, events } = driven
    await fence('old', 7)
    const met = eventWhere(events, 'fence', () => true)
    expect(await reasonOf(pool.query(WRITE, ['refused']))).toMatchObject(FENCE)
    expect(await met).toEqual({ name: 'orders', side: 'old', epoch: 7 })
    expect(await sideOf(pool)).toBe('new')
    expect([await keys('old'), await keys('new')]).toEqual([[], []])
  })

  it('each refusal is told once, also of a leased client and of a connection that was there before', async () => {
    const driven = drive({}, { handedIn: true, onFence: () => undefined })
    const { pool, events } = driven
    const seen: unknown[] = []
    events.on('fence', (event) => seen.push(event))
    await fence('old', 7)
    const client = await pool.connect()
    await reasonOf(client.query(WRITE, ['1']))
    client.release()
    await reasonOf(pool.query(WRITE, ['2']))
    expect(seen).toHaveLength(2)
  })
})

it.each([
  ['select 1', true],
  ['select 1;', true],
  ['/* c */ insert into t values (1) -- d', true],
  ['merge into t using u on t.a = u.a when matched then delete', true],
  ['with w as (delete from t returning *) select * from w', true],
  ['values (1)', true],
  ['', false],
  ['-- nothing', false],
  ['select 1; select 2', false],
  ['call p()', false],
  ['do $$ begin end $$', false],
  ['copy t from stdin', false],
  ['explain analyze delete from t', false],
  ['begin', false],
  ['execute s', false],
  ['selec 1', false],
])('%j is one plain statement: %s', async (text, plain) => {
  const statements = await loadStatements()
  expect([statements.of(text).plain, statements.of(text).plain]).toEqual([plain, plain])
})

/** In front of OLD: cuts a connection right behind the message with which a fence refuses. */
async function startCutter(): Promise<{ url: string; close(): Promise<void> }> {
  const target = new URL(urls.old)
  const port = Number(target.port)
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1')
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => {}))
    client.pipe(upstream)
    upstream.on('data', (chunk: Buffer) => {
      if (!chunk.includes('pg-cutover fence')) {
        client.write(chunk)
        return
      }
      let at = 0
      while (chunk[at] !== 'E'.charCodeAt(0)) at += 1 + chunk.readUInt32BE(at + 1)
      const end = at + 1 + chunk.readUInt32BE(at + 1)
      client.write(chunk.subarray(0, end), () => {
        client.destroy()
        upstream.destroy()
      })
    })
    upstream.on('close', () => client.destroy())
    client.on('close', () => upstream.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  target.hostname = '127.0.0.1'
  target.port = String((server.address() as AddressInfo).port)
  return {
    url: target.href,
    async close() {
      server.close()
      for (const socket of sockets) socket.destroy()
      await once(server, 'close')
    },
  }
}
