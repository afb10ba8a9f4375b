// The kinds of writes that the demo's application makes, each with the rows that must carry its number afterwards.
import type { Pool, PoolClient } from 'pg'
import type { Effect, Place } from './ledger.js'
import type { Table } from './schema.js'

/** What a writer knows of the data: which rows there are, and the reservations it made itself. */
export interface Known {
  readonly customers: readonly string[]
  readonly products: number
  readonly accounts: number
  readonly reservations: { readonly id: string; readonly write: number }[]
  /** Numbers of the events that were recorded and not moved yet. */
  readonly events: number[]
}

/** What the database said: the port of the server that ran it is the mark of its side. */
export interface Told {
  readonly port: number
  readonly effects?: readonly Effect[]
  readonly place?: Place
}

interface Kind {
  /** Out of all weights. */
  readonly weight: number
  readonly traces: Partial<Record<Table, number>>
  readonly run: (pool: Pool, write: number, known: Known) => Promise<Told>
}

export const WRITES = {
  'record an event': {
    weight: 30,
    traces: { events: 1 },
    run: async (pool, write, known?: Known) => {
      const { rows } = await pool.query<{ port: number }>({
        name: 'demo-event',
        text: `insert into shop.events (day, kind, payload, write)
               values (date '2026-01-01' + $1::int, $2, $3, $4) returning inet_server_port() as port`,
        values: [below(365), pick(['viewed', 'searched', 'added', 'left']), { page: below(100) }, write],
      })
      known?.events.push(write)
      return { port: one(rows).port, place: { table: 'events', key: write } }
    },
  },
  'move an event': {
    weight: 5,
    traces: {},
    run: async (pool, _write, known) => {
      const event = known.events.shift()
      if (event === undefined) throw new Error('no event is known')
      const day = below(365)
      const { rows } = await pool.query<{ port: number }>(
        // Another key, and as a rule another partition.
        `update shop.events set day = date '2026-01-01' + $1::int where write = $2
         returning inet_server_port() as port`,
        [day, event],
      )
      return { port: one(rows).port, effects: [{ kind: 'moved', event, day }] }
    },
  },
  'change a customer': {
    weight: 20,
    traces: { customers: 1 },
    run: async (pool, write, known) => {
      const customer = pick(known.customers)
      const { rows } = await pool.query<{ port: number }>({
        name: 'demo-customer',
        // Not idempotent on purpose: applied twice, the number is there twice.
        text: `update shop.customers set writes = writes || $1::bigint,
                      profile = jsonb_set(profile, '{visits}', to_jsonb(cardinality(writes) + 1))
                where id = $2 returning inet_server_port() as port`,
        values: [write, customer],
      })
      return { port: one(rows).port, place: { table: 'customers', key: customer } }
    },
  },
  'reserve stock': {
    weight: 15,
    traces: { reservations: 1 },
    run: async (pool, write, known) => {
      const { rows } = await pool.query<{ id: string; port: number }>(
        `insert into shop.reservations (product_id, quantities, write)
         values ($1, $2, $3) returning id, inet_server_port() as port`,
        [1 + below(known.products), [1 + below(3), 1 + below(3)], write],
      )
      const { id, port } = one(rows)
      known.reservations.push({ id, write })
      return { port }
    },
  },
  'release stock': {
    weight: 12,
    traces: {},
    run: async (pool, _write, known) => {
      const mine = known.reservations.shift()
      if (!mine) throw new Error('nothing is reserved')
      const { rows } = await pool.query<{ port: number }>(
        'delete from shop.reservations where id = $1 returning inet_server_port() as port',
        [mine.id],
      )
      return { port: one(rows).port, effects: [{ kind: 'gone', table: 'reservations', write: mine.write }] }
    },
  },
  'queue a job and take one': {
    weight: 10,
    traces: { jobs: 1 },
    run: async (pool, write) => {
      const { rows } = await pool.query<{ port: number; taken: string | null }>(
        `with taken as (
           delete from shop.jobs where id = (select id from shop.jobs order by id for update skip locked limit 1)
           returning write),
         queued as (insert into shop.jobs (task, write) values ($1, $2))
         select inet_server_port() as port, (select write from taken) as taken`,
        [pick(['send', 'index', 'bill']), write],
      )
      const { port, taken } = one(rows)
      // The queue is short, so that a job is gone some milliseconds after it came.
      return { port, effects: taken === null ? [] : [{ kind: 'gone', table: 'jobs', write: Number(taken) }] }
    },
  },
  'add a product': {
    weight: 5,
    traces: { products: 1 },
    run: async (pool, write) => {
      const { rows } = await pool.query<{ port: number }>(
        `insert into shop.products (sku, price, stock, labels, write)
         values ('NEW-' || $1::bigint, 9.99, 0, $2, $1) returning inet_server_port() as port`,
        [write, ['new', 'autumn']],
      )
      return { port: one(rows).port, place: { table: 'products', key: write } }
    },
  },
  'place an order': {
    weight: 10,
    traces: { orders: 1, order_lines: 2 },
    run: (pool, write, known) =>
      transaction(pool, async (client) => {
        const products = [1 + below(known.products), 1 + below(known.products)].toSorted((a, b) => a - b)
        const { rows } = await client.query<{ id: string; port: number }>(
          `insert into shop.orders (customer_id, details, write)
           values ($1, $2, $3) returning id, inet_server_port() as port`,
          [pick(known.customers), { gift: write % 5 === 0 }, write],
        )
        const { id, port } = one(rows)
        for (const [index, product] of products.entries()) {
          await client.query({
            name: 'demo-line',
            text: `insert into shop.order_lines (order_id, line, product_id, quantity, write)
                   values ($1, $2, $3, 1, $4)`,
            values: [id, index + 1, product, write],
          })
          await client.query('update shop.products set stock = stock - 1 where id = $1', [product])
        }
        await client.query(`update shop.orders set status = 'paid' where id = $1`, [id])
        const effects = products.map((product) => ({ kind: 'stock', product, change: -1 }) as const)
        return { port, effects, place: { table: 'orders', key: write } }
      }),
  },
  'transfer money': {
    weight: 8,
    traces: { transfers: 1 },
    run: (pool, write, known) =>
      transaction(pool, async (client) => {
        const debit = 1 + below(known.accounts)
        const credit = 1 + ((debit + below(known.accounts - 1)) % known.accounts)
        const amount = 1 + below(20)
        const effects = [
          { kind: 'balance', account: debit, change: -amount },
          { kind: 'balance', account: credit, change: amount },
        ] as const
        // In one order for everybody, so that two transfers never wait for each other.
        for (const { account, change } of effects.toSorted((a, b) => a.account - b.account))
          await client.query('update shop.accounts set balance = balance + $1 where id = $2', [
            change,
            account,
          ])
        const { rows } = await client.query<{ port: number }>(
          `insert into shop.transfers (debit, credit, amount, write)
           values ($1, $2, $3, $4) returning inet_server_port() as port`,
          [debit, credit, amount, write],
        )
        return { port: one(rows).port, effects, place: { table: 'transfers', key: write } }
      }),
  },
} as const satisfies Record<string, Kind>

export type WriteName = keyof typeof WRITES

/** Not of the application's own accord: what `--slow-transaction` keeps open. */
export const SLOW = 'keep a transaction open'

/** How many rows of which table carry the number of an acknowledged write of a kind. */
export const tracesOf = (kind: WriteName | typeof SLOW): Kind['traces'] =>
  kind === SLOW ? { events: 1 } : WRITES[kind].traces

/** A kind by its weight, out of those that are possible now. */
export function anyWrite(known: Known): WriteName {
  let ticket = below(TICKETS)
  for (const name of NAMES) {
    ticket -= WRITES[name].weight
    if (ticket >= 0) continue
    if (name === 'release stock' && known.reservations.length === 0) return 'reserve stock'
    if (name === 'move an event' && known.events.length === 0) return 'record an event'
    return name
  }
  throw new Error('the weights do not add up')
}

const NAMES = Object.keys(WRITES) as WriteName[]
const TICKETS = NAMES.reduce((sum, name) => sum + WRITES[name].weight, 0)

/** An order that the customer gives up at the last moment: none of it may ever be seen. */
export async function changeOfMind(pool: Pool, write: number, known: Known): Promise<void> {
  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query('insert into shop.orders (customer_id, write) values ($1, $2)', [
      pick(known.customers),
      write,
    ])
    await client.query('rollback')
    client.release()
  } catch (error) {
    client.release(true)
    throw error
  }
}

async function transaction(pool: Pool, work: (client: PoolClient) => Promise<Told>): Promise<Told> {
  return transactionOn(await pool.connect(), work)
}

/** Gives the client back. */
export async function transactionOn(
  client: PoolClient,
  work: (client: PoolClient) => Promise<Told>,
): Promise<Told> {
  try {
    await client.query('begin')
    const told = await work(client)
    const { command } = await client.query('commit')
    // Postgres answers the COMMIT of a failed transaction with ROLLBACK, and no error.
    if (command !== 'COMMIT') throw new Error(`the transaction ended with ${command}`)
    client.release()
    return told
  } catch (error) {
    client.release(true)
    throw error
  }
}

export function one<T>(rows: readonly T[]): T {
  const [row] = rows
  if (row === undefined || rows.length > 1) throw new Error(`one row expected, got ${rows.length}`)
  return row
}

export function below(limit: number): number {
  return Math.floor(Math.random() * limit)
}

export function pick<T>(from: readonly T[]): T {
  const value = from[below(from.length)]
  if (value === undefined) throw new Error('nothing to pick from')
  return value
}
