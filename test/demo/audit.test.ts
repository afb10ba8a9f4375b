// The demo's audit finds every acknowledged write, and says so when one is missing, there twice, or unknown.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { audit, compare } from '../../demo/audit.js'
import type { Audit } from '../../demo/audit.js'
import { Ledger } from '../../demo/ledger.js'
import type { Entry } from '../../demo/ledger.js'
import { SCHEMA, fill, seedFor } from '../../demo/schema.js'
import { startWorkload } from '../../demo/workload.js'
import type { WriteName } from '../../demo/writes.js'
import { freshDatabase } from '../support/databases.js'
import type { FreshDatabase } from '../support/databases.js'

const seed = seedFor(1000)
const KINDS = 9
let database: FreshDatabase
let client: pg.Client
let other: pg.Client
const ledger = new Ledger()

beforeAll(async () => {
  database = await freshDatabase('old')
  client = new pg.Client({ connectionString: database.url })
  other = new pg.Client({ connectionString: database.url })
  await Promise.all([client.connect(), other.connect()])
  await client.query(SCHEMA)
  await fill(client, seed)
  const pool = new pg.Pool({ connectionString: database.url, max: 12 })
  const load = { writers: 8, readers: 4, rate: 2000 }
  const workload = await startWorkload(pool, ledger, { seed, load, sideOf: () => 'old' })
  const acknowledge = ledger.acknowledge.bind(ledger)
  const enough = new Promise<void>((resolve) => {
    ledger.acknowledge = (entry) => {
      acknowledge(entry)
      const kinds = new Set(ledger.entries.map(({ kind }) => kind))
      if (ledger.entries.length > 300 && kinds.size === KINDS) resolve()
    }
  })
  workload.go()
  await enough
  await workload.stop()
  await pool.end()
})

afterAll(async () => {
  await Promise.all([client.end(), other.end()])
  await database.drop()
})

const first = (kind: WriteName): Entry => {
  const effects = ledger.entries.flatMap((entry) => entry.effects)
  // An event that is lost takes a later change of its key with it.
  const moved = new Set(effects.flatMap((effect) => (effect.kind === 'moved' ? [effect.event] : [])))
  const found = ledger.entries.find((entry) => entry.kind === kind && !moved.has(entry.number))
  if (!found) throw new Error(`no write of the kind "${kind}"`)
  return found
}

/** Done behind the audit's back, seen by it, and taken back. */
async function afterDamage(statement: string, values: unknown[]): Promise<Audit> {
  await client.query('begin')
  try {
    const { rowCount } = await client.query(statement, values)
    expect(rowCount).toBeGreaterThan(0)
    return await audit(client, ledger, seed)
  } finally {
    await client.query('rollback')
  }
}

const CLEAN = { lost: [], duplicated: [], unexpected: [], wrongSums: [] }

it('finds every acknowledged write once, and nothing else', async () => {
  expect(ledger.failures).toEqual([])
  const { acknowledged, found, ...rest } = await audit(client, ledger, seed)
  expect(found).toBe(acknowledged)
  expect(acknowledged).toBe(ledger.entries.length)
  expect(rest).toEqual(CLEAN)
})

describe('a lost write is reported by its number', () => {
  it.each([
    ['an inserted row', 'record an event', 'delete from shop.events where write = $1'],
    [
      'one row of a transaction',
      'place an order',
      'delete from shop.order_lines where write = $1 and line = 2',
    ],
    [
      'an update',
      'change a customer',
      'update shop.customers set writes = array_remove(writes, $1) where $1 = any(writes)',
    ],
    ['a row with a serial key', 'add a product', 'delete from shop.products where write = $1'],
  ] as const)('%s', async (_what, kind, statement) => {
    const { number } = first(kind)
    const { acknowledged, found, lost, duplicated } = await afterDamage(statement, [number])
    expect(lost).toEqual([number])
    expect(duplicated).toEqual([])
    expect(found).toBe(acknowledged - 1)
  })

  it('a change of a key, when the row has another one', async () => {
    const { number, effects } = first('move an event')
    const [effect] = effects
    const { lost } = await afterDamage(
      `update shop.events set day = date '2026-01-01' + (day - date '2026-01-01' + 1) % 365 where write = $1`,
      [effect?.kind === 'moved' ? effect.event : 0],
    )
    expect(lost).toEqual([number])
  })

  it('a job that was taken, when it is in the queue again', async () => {
    const taken = ledger.entries.find(({ effects }) =>
      effects.some((effect) => effect.kind === 'gone' && effect.table === 'jobs'),
    )
    const [effect] = taken?.effects ?? []
    const { lost } = await afterDamage(`insert into shop.jobs (task, write) values ('send', $1)`, [
      effect?.kind === 'gone' ? effect.write : 0,
    ])
    expect(lost).toEqual([taken?.number])
  })

  it('a delete, when the row is there again', async () => {
    const { number, effects } = first('release stock')
    const [effect] = effects
    const { lost } = await afterDamage(
      'insert into shop.reservations (product_id, quantities, write) values (1, $2, $1)',
      [effect?.kind === 'gone' ? effect.write : 0, [1]],
    )
    expect(lost).toEqual([number])
  })
})

describe('a write that was applied twice is reported by its number', () => {
  it.each([
    [
      'an insert',
      'record an event',
      'insert into shop.events (day, kind, write) select day, kind, write from shop.events where write = $1',
    ],
    [
      'an update',
      'change a customer',
      'update shop.customers set writes = writes || $1::bigint where $1 = any(writes)',
    ],
  ] as const)('%s', async (_what, kind, statement) => {
    const { number } = first(kind)
    const { acknowledged, found, lost, duplicated } = await afterDamage(statement, [number])
    expect(duplicated).toEqual([number])
    expect(lost).toEqual([])
    expect(found).toBe(acknowledged - 1)
  })
})

it('reports a number that nobody was told of', async () => {
  const { unexpected } = await afterDamage(
    `insert into shop.events (day, kind, write) values ('2026-02-01', 'left', $1)`,
    [9_999_999],
  )
  expect(unexpected).toEqual([9_999_999])
})

it.each([
  ['a balance', 'update shop.accounts set balance = balance + 1 where id = 7', 'balance of account 7'],
  ['a stock', 'update shop.products set stock = stock - 1 where id = 3', 'stock of product 3'],
])('reports %s that the ledger cannot explain', async (_what, statement, name) => {
  const { wrongSums } = await afterDamage(statement, [])
  expect(wrongSums).toEqual([expect.stringContaining(name)])
})

it('sees a row that differs between two databases', async () => {
  expect((await compare(client, other)).differing).toEqual([])
  await client.query('begin')
  await client.query(
    `update shop.customers set profile = profile || '{"tier": 9}' where email = 'customer5@example.com'`,
  )
  const { differing } = await compare(client, other)
  await client.query('rollback')
  expect(differing).toEqual([expect.stringContaining('customers')])
})
