// Gives a test file databases of its own on the shared servers, and sees that no connection is left when it drops them.
import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import { inject } from 'vitest'
import type { Address } from './global-setup.js'

export type Side = 'old' | 'new'

export interface FreshDatabase {
  readonly name: string
  readonly url: string
  /** Drops the database with its subscriptions and slots; rejects if a client was still connected to it. */
  drop(): Promise<void>
}

export interface FreshDatabases {
  /** The same on both sides. */
  readonly name: string
  readonly old: string
  readonly new: string
  drop(): Promise<void>
}

/** `pool.end()` resolves before the server has seen the sockets close. */
const GOODBYE_MILLIS = 3_000

/** Those that this test file has made and not dropped. */
export const undropped = new Set<string>()

export async function freshDatabases(): Promise<FreshDatabases> {
  const name = freshName()
  const [old, next] = [await create('old', name), await create('new', name)]
  return {
    name,
    old: old.url,
    new: next.url,
    drop: async () => {
      // A subscription of either side holds a slot of the other.
      await dropSubscriptions(old.url)
      await dropSubscriptions(next.url)
      const results = await Promise.allSettled([old.drop(), next.drop()])
      for (const result of results) if (result.status === 'rejected') throw result.reason
    },
  }
}

export function freshDatabase(side: Side): Promise<FreshDatabase> {
  return create(side, freshName())
}

/** Slots, roles and subscriptions are shared by a whole server: tests suffix their names with the database's. */
function freshName(): string {
  return `t_${randomBytes(5).toString('hex')}`
}

async function create(side: Side, name: string): Promise<FreshDatabase> {
  const server = inject('servers')[side]
  const admin = url(server, 'postgres')
  const own = url(server, name)
  await withClient(admin, (client) => client.query(`create database ${name}`))
  undropped.add(`${side} ${name}`)
  return {
    name,
    url: own,
    drop: async () => {
      if (!undropped.delete(`${side} ${name}`)) return
      await dropSubscriptions(own)
      await withClient(admin, async (client) => {
        const left = await clientsThatStay(client, name)
        await dropSlots(client, name)
        await client.query(`drop database ${name} with (force)`)
        if (left.length > 0)
          throw new Error(`clients still connected to ${name} (${side}): ${left.join('; ')}`)
      })
    },
  }
}

async function clientsThatStay(client: Client, database: string): Promise<string[]> {
  const deadline = Date.now() + GOODBYE_MILLIS
  for (;;) {
    const { rows } = await client.query<{ client: string }>(
      `select format('%s [%s] %s', application_name, state, left(query, 200)) as client
         from pg_stat_activity where datname = $1 and backend_type = 'client backend'`,
      [database],
    )
    if (rows.length === 0 || Date.now() > deadline) return rows.map((row) => row.client)
    await delay(10)
  }
}

async function dropSubscriptions(database: string): Promise<void> {
  await withClient(database, async (client) => {
    const { rows } = await client.query<{ name: string }>(
      `select quote_ident(subname) as name from pg_subscription
        where subdbid = (select oid from pg_database where datname = current_database())`,
    )
    for (const { name } of rows) {
      await client.query(`alter subscription ${name} disable`)
      // Without this the drop would ask the other side, which may be gone.
      await client.query(`alter subscription ${name} set (slot_name = none)`)
      await client.query(`drop subscription ${name}`)
    }
    const { rows: prepared } = await client.query<{ gid: string }>(
      `select quote_literal(gid) as gid from pg_prepared_xacts where database = current_database()`,
    )
    for (const { gid } of prepared) await client.query(`rollback prepared ${gid}`)
  })
}

async function dropSlots(client: Client, database: string): Promise<void> {
  await client.query(
    `select pg_terminate_backend(active_pid, 5000) from pg_replication_slots where database = $1 and active`,
    [database],
  )
  await client.query(
    `select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = $1`,
    [database],
  )
}

function url({ host, port, password }: Address, database: string): string {
  return `postgres://postgres:${password}@${host}:${port}/${database}`
}

async function withClient<T>(connectionString: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString, application_name: 'test-support' })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
