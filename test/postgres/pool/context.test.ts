// Held calls keep the context of their callers: what AsyncLocalStorage holds, and where the stack of an error leads.
import { AsyncLocalStorage } from 'node:async_hooks'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { lease, reasonOf, sides, WRITE } from './fixture.js'

const { drive, keys } = await sides()

const storage = new AsyncLocalStorage<string>()

/** What a tracer that patches `Client.query` sees. */
function traced(): { seen: Map<string, string | undefined>; Client: typeof pg.Client } {
  const seen = new Map<string, string | undefined>()
  class Client extends pg.Client {
    override query = ((...args: unknown[]) => {
      const [, values] = args
      if (Array.isArray(values)) seen.set(String(values[0]), storage.getStore())
      return Reflect.apply(pg.Client.prototype.query, this, args) as unknown
    }) as pg.Client['query']
  }
  return { seen, Client }
}

async function withClient(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<void>): Promise<void> {
  const client = await pool.connect()
  await work(client)
  client.release()
}

it.each(['held', 'armed and full'])(
  'each call runs its query in the context of its caller: %s',
  async (kind) => {
    const { seen, Client } = traced()
    const { core, pool } = drive({ Client, max: 2 })
    await core.arm()
    if (kind === 'held') core.hold(lease())
    const calls = Array.from({ length: 12 }, (_, nr) =>
      storage.run(`caller ${nr}`, () =>
        nr % 3 === 0
          ? pool.query(WRITE, [String(nr)])
          : nr % 3 === 1
            ? new Promise((resolve) => {
                pool.query(WRITE, [String(nr)], resolve)
              })
            : withClient(pool, async (client) => {
                await client.query(WRITE, [String(nr)])
              }),
      ),
    )
    if (kind === 'held') core.release('new')
    await Promise.all(calls)
    expect([...seen].toSorted(([a], [b]) => Number(a) - Number(b))).toEqual(
      calls.map((_, nr) => [String(nr), `caller ${nr}`]),
    )
    expect(await keys(kind === 'held' ? 'new' : 'old')).toHaveLength(12)
  },
)

it('callbacks of `connect` run in the context of their callers', async () => {
  const { core, pool } = drive({ max: 1 })
  core.hold(lease())
  const seen = [1, 2, 3].map((nr) =>
    storage.run(
      `caller ${nr}`,
      () =>
        new Promise((resolve) => {
          pool.connect((_error, _client, release) => {
            release()
            resolve(storage.getStore())
          })
        }),
    ),
  )
  core.release('new')
  expect(await Promise.all(seen)).toEqual(['caller 1', 'caller 2', 'caller 3'])
})

describe('the stack of an error leads to whoever asked', () => {
  const HERE = /context\.test\.ts/

  it('for a statement that fails after a hold', async () => {
    const { core, pool } = drive()
    core.hold(lease())
    const failing = async (): Promise<unknown> => await pool.query('select nothing_of_that_name')
    const reason = reasonOf(failing())
    core.release('new')
    expect(await reason).toMatchObject({ code: '42703' })
    expect((await reason).stack).toMatch(HERE)
  })

  it('for a connection that cannot be made after a hold', async () => {
    const { core, pool } = drive({}, { new: { connectionString: 'postgres://nobody@127.0.0.1:1/nowhere' } })
    core.hold(lease())
    const failing = async (): Promise<unknown> => await pool.connect()
    const reason = reasonOf(failing())
    core.release('new')
    expect((await reason).stack).toMatch(HERE)
  })

  it('for a call that is given up', async () => {
    const { core, pool } = drive()
    core.hold(lease(1))
    const failing = async (): Promise<unknown> => await pool.query('select 1')
    const reason = await reasonOf(failing())
    expect(reason).toMatchObject({ code: '57P03' })
    expect(reason.stack).toMatch(HERE)
  })
})
