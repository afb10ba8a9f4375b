// The kinds of reads that the demo's application makes; one of them looks for the write acknowledged last.
import type { Pool } from 'pg'
import type { Entry, Place } from './ledger.js'
import { below, pick } from './writes.js'
import type { Known } from './writes.js'

interface Kind {
  readonly weight: number
  readonly run: (pool: Pool, known: Known) => Promise<number | undefined>
}

/** Each resolves to the port of the server that answered; some do not ask for it, so that both sides can answer the same. */
export const READS = {
  'an order with its lines': {
    weight: 20,
    run: async (pool) => {
      const { rows } = await pool.query<{ port: number }>(
        `select inet_server_port() as port, o.id, o.status, c.email, l.line, p.sku, p.price
           from shop.orders o join shop.customers c on c.id = o.customer_id
           join shop.order_lines l on l.order_id = o.id join shop.products p on p.id = l.product_id
          where o.id = $1`,
        [1 + below(20)],
      )
      return portOf(rows)
    },
  },
  'a customer by JSON': {
    weight: 15,
    run: async (pool, known) => {
      const { rows } = await pool.query<{ port: number }>({
        name: 'demo-profile',
        text: `select inet_server_port() as port, email, interests, profile ->> 'city' as city
                 from shop.customers where id = $1`,
        values: [pick(known.customers)],
      })
      return portOf(rows)
    },
  },
  'a product': {
    weight: 15,
    run: async (pool, known) => {
      const text = 'select id, sku, price, stock, labels from shop.products where id = $1'
      there((await pool.query(text, [1 + below(known.products)])).rows)
      return undefined
    },
  },
  'the lines of an order': {
    weight: 15,
    run: async (pool) => {
      const text = `select l.line, l.quantity, p.sku, p.price
                      from shop.order_lines l join shop.products p on p.id = l.product_id
                     where l.order_id = $1 order by l.line`
      there((await pool.query(text, [1 + below(20)])).rows)
      return undefined
    },
  },
} as const satisfies Record<string, Kind>

export type ReadName = keyof typeof READS

/** What is read in a transaction of a client of its own, which has to wait whatever it is for. */
export const REPORT = 'a report in a transaction'

/** Resolves to the port of the server that answered. */
export async function report(pool: Pool): Promise<number> {
  const client = await pool.connect()
  try {
    await client.query('begin isolation level repeatable read read only')
    const { rows } = await client.query<{ port: number }>(
      'select inet_server_port() as port, sum(balance) from shop.accounts where id <= 100',
    )
    await client.query(
      'select count(*) from shop.transfers where id > (select max(id) - 50 from shop.transfers)',
    )
    await client.query('commit')
    client.release()
    return portOf(rows)
  } catch (error) {
    client.release(true)
    throw error
  }
}

/** A kind by its weight out of 100; undefined for what is left: looking up one's own writes. */
export function anyRead(ticket: number): ReadName | undefined {
  let left = ticket
  for (const name of Object.keys(READS) as ReadName[]) {
    left -= READS[name].weight
    if (left < 0) return name
  }
  return undefined
}

/** Looks an acknowledged write up: whether it was seen, and who answered. */
export async function lookUp(
  pool: Pool,
  { number }: Entry,
  { table, key }: Place,
): Promise<{ port: number; seen: boolean }> {
  const { rows } =
    table === 'customers'
      ? await pool.query<{ port: number; seen: boolean }>(
          'select inet_server_port() as port, $1 = any(writes) as seen from shop.customers where id = $2',
          [number, key],
        )
      : await pool.query<{ port: number; seen: boolean }>(
          `select inet_server_port() as port, exists (select from shop.${table} where write = $1) as seen`,
          [number],
        )
  const [row] = rows
  return row ?? { port: 0, seen: false }
}

const portOf = (rows: readonly { port: number }[]): number => there(rows).port

function there<T>(rows: readonly T[]): T {
  const [row] = rows
  if (row === undefined) throw new Error('a row that was there from the start is gone')
  return row
}
