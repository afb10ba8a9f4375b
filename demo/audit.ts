// Holds the ledger against a database: every acknowledged write exactly once, nothing else, and every sum as it must be.
import type { ClientBase } from 'pg'
import type { Ledger } from './ledger.js'
import { OPENING_BALANCE, TABLES } from './schema.js'
import type { Seed, Table } from './schema.js'
import { tracesOf } from './writes.js'

export interface Audit {
  readonly acknowledged: number
  /** Acknowledged, and there exactly as often as it has to be. */
  readonly found: number
  /** Numbers of acknowledged writes of which a row is missing, or that should have deleted or moved a row which is there. */
  readonly lost: readonly number[]
  readonly duplicated: readonly number[]
  /** Numbers in the database that nobody was told of: rolled back, or never acknowledged. */
  readonly unexpected: readonly number[]
  /** Balances and stocks that are not the opening one plus every acknowledged change. */
  readonly wrongSums: readonly string[]
}

export async function audit(client: ClientBase, ledger: Ledger, seed: Seed): Promise<Audit> {
  const kinds = new Map(ledger.entries.map((entry) => [entry.number, entry.kind]))
  const goneBy = { reservations: new Map<number, number>(), jobs: new Map<number, number>() }
  const moved = new Map<number, { readonly by: number; readonly day: number }>()
  const balances = new Map<number, number>()
  const stocks = new Map<number, number>()
  for (const { number, effects } of ledger.entries)
    for (const effect of effects) {
      if (effect.kind === 'gone') goneBy[effect.table].set(effect.write, number)
      else if (effect.kind === 'moved') moved.set(effect.event, { by: number, day: effect.day })
      else if (effect.kind === 'balance') add(balances, effect.account, effect.change)
      else add(stocks, effect.product, effect.change)
    }

  const lost = new Set<number>()
  const duplicated = new Set<number>()
  const unexpected = new Set<number>()
  const present = await tracesIn(client)
  for (const table of TABLES) {
    const times = present.get(table) ?? new Map<number, number>()
    for (const [number, kind] of kinds) {
      const expected = tracesOf(kind)[table] ?? 0
      const found = times.get(number) ?? 0
      const removal = table === 'reservations' || table === 'jobs' ? goneBy[table].get(number) : undefined
      if (removal !== undefined) {
        if (found > 0) lost.add(removal)
      } else if (found < expected) lost.add(number)
      else if (found > expected) duplicated.add(number)
    }
    for (const number of times.keys()) if (!kinds.has(number)) unexpected.add(number)
  }
  const days = await daysOf(client, [...moved.keys()])
  for (const [event, { by, day }] of moved) if (days.get(event) !== day) lost.add(by)
  const wrongSums = [
    ...(await wrong(client, 'balance of account', 'accounts', 'balance', seed.accounts, balances)),
    ...(await wrong(client, 'stock of product', 'products', 'stock', seed.products, stocks)),
  ]
  const amiss = new Set([...lost, ...duplicated])
  return {
    acknowledged: kinds.size,
    found: kinds.size - amiss.size,
    lost: [...lost],
    duplicated: [...duplicated],
    unexpected: [...unexpected],
    wrongSums,
  }
}

/** How many rows of each table carry which number. */
async function tracesIn(client: ClientBase): Promise<Map<Table, Map<number, number>>> {
  const found = new Map<Table, Map<number, number>>()
  for (const table of TABLES) {
    if (table === 'accounts') continue
    const numbers =
      table === 'customers'
        ? 'shop.customers, unnest(writes) as write'
        : `shop.${table} where write is not null`
    const { rows } = await client.query<{ write: string; times: number }>(
      `select write, count(*)::int as times from ${numbers} group by write`,
    )
    found.set(table, new Map(rows.map(({ write, times }) => [Number(write), times])))
  }
  return found
}

async function daysOf(client: ClientBase, events: readonly number[]): Promise<Map<number, number>> {
  const { rows } = await client.query<{ write: string; day: number }>(
    `select write, day - date '2026-01-01' as day from shop.events where write = any($1::bigint[])`,
    [events],
  )
  return new Map(rows.map(({ write, day }) => [Number(write), day]))
}

async function wrong(
  client: ClientBase,
  what: string,
  table: Table,
  column: string,
  seeded: number,
  changes: ReadonlyMap<number, number>,
): Promise<string[]> {
  const { rows } = await client.query<{ id: number; value: string }>(
    `select id, ${column} as value from shop.${table} where id <= $1 and ${table === 'products' ? 'write is null' : 'true'}`,
    [seeded],
  )
  const findings = rows.length === seeded ? [] : [`${table}: ${rows.length} of ${seeded} rows`]
  for (const { id, value } of rows) {
    const expected = OPENING_BALANCE + (changes.get(id) ?? 0)
    if (Number(value) !== expected) findings.push(`${what} ${id}: ${value}, not ${expected}`)
  }
  return findings
}

function add(to: Map<number, number>, key: number, change: number): void {
  to.set(key, (to.get(key) ?? 0) + change)
}

export interface Comparison {
  readonly tables: number
  readonly rows: number
  /** Tables whose rows are not the same on both sides. */
  readonly differing: readonly string[]
}

/** Every row of every table by its content, so that what no ledger knows of is compared as well. */
export async function compare(one: ClientBase, other: ClientBase): Promise<Comparison> {
  let total = 0
  const differing: string[] = []
  for (const table of TABLES) {
    // A sum does not depend on the order of the rows, and, unlike xor, it sees a row that is there twice.
    const text = `select count(*)::int as rows,
                         coalesce(sum(('x' || left(md5(t::text), 15))::bit(60)::bigint), 0)::text as content
                    from shop.${table} t`
    const [left, right] = await Promise.all([
      one.query<{ rows: number; content: string }>(text),
      other.query<{ rows: number; content: string }>(text),
    ])
    const [a, b] = [left.rows[0], right.rows[0]]
    total += a?.rows ?? 0
    if (!a || !b || a.rows !== b.rows || a.content !== b.content)
      differing.push(`${table}: ${a?.rows} rows on one side, ${b?.rows} on the other`)
  }
  return { tables: TABLES.length, rows: total, differing }
}
