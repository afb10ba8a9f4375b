// Shows that the databases and the proxy that the other tests stand on do what they say.
import { once } from 'node:events'
import { connect } from 'node:net'
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { freshDatabase, freshDatabases } from '../support/databases.js'
import type { FreshDatabase } from '../support/databases.js'
import { startProxy } from '../support/proxy.js'
import type { Proxy } from '../support/proxy.js'

async function connected(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString })
  // A cut connection gives more than one error, and `once` hears the first.
  client.on('error', () => undefined)
  await client.connect()
  return client
}

async function column(connectionString: string, query: string): Promise<unknown[]> {
  const client = await connected(connectionString)
  const { rows } = await client.query<unknown[]>({ text: query, rowMode: 'array' })
  await client.end()
  return rows.map((row) => row[0])
}

describe('fresh databases', () => {
  it('are made on a server of each major under the same name', async () => {
    const databases = await freshDatabases()
    const query = `select current_database() || ' on ' || (current_setting('server_version_num')::int / 10000)`
    expect(await column(databases.old, query)).toEqual([`${databases.name} on 15`])
    expect(await column(databases.new, query)).toEqual([`${databases.name} on 18`])
    await databases.drop()
    await expect(connected(databases.old)).rejects.toThrow('does not exist')
    await expect(connected(databases.new)).rejects.toThrow('does not exist')
  })

  it('are dropped with their subscription, its slot and a prepared transaction', async () => {
    const databases = await freshDatabases()
    const { port, password } = inject('servers').old
    await column(databases.old, 'create table t (id int primary key)')
    await column(databases.new, 'create table t (id int primary key)')
    await column(databases.old, `create publication p for table t`)
    const source = `host=127.0.0.1 port=${port} user=postgres password=${password} dbname=${databases.name}`
    await column(
      databases.new,
      `create subscription s_${databases.name} connection '${source}' publication p`,
    )
    const writer = await connected(databases.new)
    await writer.query(`begin; insert into t values (1); prepare transaction '${databases.name}'`)
    await writer.end()
    await databases.drop()
    const other = await freshDatabase('old')
    expect(
      await column(
        other.url,
        `select slot_name from pg_replication_slots where database = '${databases.name}'`,
      ),
    ).toEqual([])
    await other.drop()
  })

  it('say who was still connected when they were dropped', async () => {
    const database = await freshDatabase('new')
    const client = await connected(`${database.url}?application_name=forgotten`)
    const ends = once(client, 'error')
    await expect(database.drop(20)).rejects.toThrow('forgotten [idle]')
    const [error]: unknown[] = await ends
    expect(error).toMatchObject({ code: '57P01' })
  })
})

describe('the proxy', () => {
  let database: FreshDatabase
  let proxy: Proxy

  beforeAll(async () => {
    database = await freshDatabase('new')
    proxy = await startProxy(inject('servers').new.port)
  })

  afterAll(async () => {
    await proxy.close()
    await database.drop()
  })

  it('holds an answer back while it stalls and gives it when it resumes', async () => {
    const client = await connected(proxy.url(database.url))
    proxy.stall('to-client')
    const answer = client.query('create table stalled ()').then(() => 'answered')
    // The statement has run, as another session sees, and yet the answer is not there.
    for (;;) {
      const [done] = await column(database.url, `select to_regclass('stalled') is not null`)
      if (done === true) break
    }
    expect(await Promise.race([answer, Promise.resolve('waiting')])).toBe('waiting')
    await proxy.resume()
    expect(await answer).toBe('answered')
    await client.end()
  })

  it('cuts standing connections and takes new ones', async () => {
    const client = await connected(proxy.url(database.url))
    const failure = once(client, 'error')
    proxy.cut()
    const [error]: unknown[] = await failure
    expect(error).toMatchObject({ code: 'ECONNRESET' })
    expect(await column(proxy.url(database.url), 'select 1')).toEqual([1])
  })

  it('refuses new connections until it resumes, and standing ones stay', async () => {
    const client = await connected(proxy.url(database.url))
    await proxy.refuse()
    const socket = connect(proxy.port, '127.0.0.1')
    const [error]: unknown[] = await once(socket, 'error')
    expect(error).toMatchObject({ code: 'ECONNREFUSED' })
    expect((await client.query('select 1')).rowCount).toBe(1)
    await client.end()
    await proxy.resume()
    expect(await column(proxy.url(database.url), 'select 1')).toEqual([1])
  })
})
