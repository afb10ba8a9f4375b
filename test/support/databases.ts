// Gives a test file databases of its own on the shared servers, and sees that no connection is left when it drops them.
import { createHash, randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import type { QueryConfig, QueryResultRow } from 'pg'
import { inject } from 'vitest'
import type { Address } from './global-setup.js'

export type Side = 'old' | 'new'

export interface FreshDatabase {
  readonly name: string
  readonly url: string
  /** Drops the database with its subscriptions and slots; rejects if a client was still connected to it after this time. */
  drop(patienceMillis?: number): Promise<void>
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
  const [old, next] = await Promise.all([create('old', name), create('new', name)])
  return { name, old: old.url, new: next.url, drop: () => drop([old, next]) }
}

export async function freshDatabase(side: Side): Promise<FreshDatabase> {
  const made = await create(side, freshName())
  return { name: made.name, url: made.url, drop: (patienceMillis) => drop([made], patienceMillis) }
}

/** Statement by statement, each in a transaction of its own. */
export function runOn(connectionString: string, statements: readonly string[]): Promise<void> {
  return withClient(connectionString, async (client) => {
    for (const statement of statements) await client.query(statement)
  })
}

/** Slots, roles and subscriptions are shared by a whole server: tests suffix their names with the database's. */
function freshName(): string {
  return `t_${randomBytes(5).toString('hex')}`
}

interface Made {
  readonly side: Side
  readonly name: string
  readonly url: string
}

async function create(side: Side, name: string): Promise<Made> {
  // By the log of the writes, which is the default, it takes the server twice the time.
  await asAdmin(side, `create database ${name} strategy file_copy`)
  undropped.add(`${side} ${name}`)
  return { side, name, url: url(inject('servers')[side], name) }
}

async function drop(made: readonly Made[], patienceMillis = GOODBYE_MILLIS): Promise<void> {
  const mine = made.filter(({ side, name }) => undropped.delete(`${side} ${name}`))
  // A subscription of either side holds a slot of the other.
  await Promise.all(mine.map(dropSubscriptions))
  const results = await Promise.allSettled(mine.map((one) => remove(one, patienceMillis)))
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

async function remove({ side, name }: Made, patienceMillis: number): Promise<void> {
  const left = await clientsThatStay(side, name, patienceMillis)
  await dropSlots(side, name)
  await asAdmin(side, `drop database ${name} with (force)`)
  if (left.length > 0) throw new Error(`clients still connected to ${name} (${side}): ${left.join('; ')}`)
}

async function clientsThatStay(side: Side, database: string, patienceMillis: number): Promise<string[]> {
  const deadline = Date.now() + patienceMillis
  for (;;) {
    const rows = await asAdmin<{ client: string }>(
      side,
      `select format('%s [%s] %s', application_name, state, left(query, 200)) as client
         from pg_stat_activity where datname = $1 and backend_type = 'client backend'`,
      [database],
    )
    if (rows.length === 0 || Date.now() > deadline) return rows.map((row) => row.client)
    await delay(3)
  }
}

async function dropSubscriptions({ side, name, url: database }: Made): Promise<void> {
  // Most tests leave neither, and it takes a connection to the very database to end one.
  const rows = await asAdmin(
    side,
    `select from pg_subscription s join pg_database d on d.oid = s.subdbid where d.datname = $1
     union all select from pg_prepared_xacts where database = $1`,
    [name],
  )
  if (rows.length === 0) return
  await withClient(database, async (client) => {
    const { rows: subscriptions } = await client.query<{ subscription: string }>(
      `select quote_ident(subname) as subscription from pg_subscription
        where subdbid = (select oid from pg_database where datname = current_database())`,
    )
    for (const { subscription } of subscriptions) {
      await client.query(`alter subscription ${subscription} disable`)
      // Without this the drop would ask the other side, which may be gone.
      await client.query(`alter subscription ${subscription} set (slot_name = none)`)
      await client.query(`drop subscription ${subscription}`)
    }
    const { rows: prepared } = await client.query<{ gid: string }>(
      `select quote_literal(gid) as gid from pg_prepared_xacts where database = current_database()`,
    )
    for (const { gid } of prepared) await client.query(`rollback prepared ${gid}`)
  })
}

async function dropSlots(side: Side, database: string): Promise<void> {
  await asAdmin(
    side,
    `select pg_terminate_backend(active_pid, 5000) from pg_replication_slots where database = $1 and active`,
    [database],
  )
  await asAdmin(
    side,
    `select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = $1`,
    [database],
  )
}

/** As a prepared statement: its text is parsed and planned once a connection, which is most of what a look at a server costs. */
export function named(text: string, values: readonly unknown[] = []): QueryConfig<unknown[]> {
  return { name: createHash('md5').update(text).digest('hex'), text, values: [...values] }
}

const admins = new Map<Side, Promise<Client>>()

/**
 * Asks on the server itself, in the database that every test leaves alone. A process keeps one connection a side for it, which
 * does not keep the process: to connect costs more than most of what is asked.
 */
async function asAdmin<R extends QueryResultRow>(
  side: Side,
  text: string,
  values: readonly unknown[] = [],
): Promise<R[]> {
  const connecting = admins.get(side) ?? connectAdmin(side)
  admins.set(side, connecting)
  const client = await connecting
  return (await client.query<R>(values.length === 0 ? { text } : named(text, values))).rows
}

async function connectAdmin(side: Side): Promise<Client> {
  const client = clientOf(url(inject('servers')[side], 'postgres')) as Client & { unref(): void }
  client.on('error', () => admins.delete(side))
  await client.connect()
  client.unref()
  return client
}

function url({ host, port, password }: Address, database: string): string {
  return `postgres://postgres:${password}@${host}:${port}/${database}`
}

function clientOf(connectionString: string): Client {
  return new Client({ connectionString, application_name: 'test-support' })
}

async function withClient<T>(connectionString: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = clientOf(connectionString)
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}
