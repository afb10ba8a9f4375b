// Two fresh databases on the servers of a benchmark, and a migration by dual-write between them.
import pg from 'pg'
import { controlConnection } from '../../src/control/control-connection.js'
import type { Migration } from '../../src/control/migration.js'
import { ensureControlSchema } from '../../src/control/schema.js'
import { insertMirror, insertWriter } from '../../src/control/side-row.js'
import { recordOf } from '../../src/dual-write/relay-record.js'
import { plainMigration } from '../../test/support/plain-migration.js'
import type { Pair } from '../../test/support/servers.js'

export interface Urls {
  readonly old: string
  readonly new: string
}

/** Of the servers of each part. */
export const SETTINGS = { shared_buffers: '256MB', max_wal_size: '4GB' } as const

/** A row of ordinary size. */
export const ITEM = 'create table item (id int primary key, n int not null, note text not null)'

export const someItems = (first: number, last: number): string =>
  `insert into item select i, i, 'this is the note of the item number ' || i from generate_series(${first}, ${last}) i`

/** The same tables in a database of this name on both servers, and rows on the old side, which a mirror brings over. */
export async function databases(pair: Pair, name: string, schema: string, rows = ''): Promise<Urls> {
  const urls = { old: pair.old.url(name), new: pair.new.url(name) }
  for (const side of ['old', 'new'] as const) {
    await withClient(pair[side].url(), (client) => client.query(`create database ${name}`))
    await withClient(urls[side], (client) => client.query(schema))
  }
  await withClient(urls.old, (client) => client.query(rows))
  return urls
}

export async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    return await work(client)
  } finally {
    await client.end()
  }
}

/** With the control schema on both sides and OLD as the writer; nothing is captured yet. */
export async function migrationOn(
  name: string,
  urls: Urls,
  tables?: readonly string[],
): Promise<Migration & { close(): Promise<void> }> {
  const control = {
    old: controlConnection({ side: 'old', config: { connectionString: urls.old } }),
    new: controlConnection({ side: 'new', config: { connectionString: urls.new } }),
  }
  await ensureControlSchema(control.old)
  await ensureControlSchema(control.new)
  await insertWriter(control.old, name, 'old')
  await insertMirror(control.new, name)
  return {
    ...plainMigration(name, control, { reachedBy: urls, tables, mirror: 'dual-write' }),
    close: async () => void (await Promise.all([control.old.close(), control.new.close()])),
  }
}

export const forgetAll = (m: Migration): string => `truncate ${recordOf(m.name)}`

/** The same figure on both sides, or the benchmark has measured something else than a mirror. */
export async function expectEqual(m: Migration, expression: string): Promise<void> {
  const [old, next] = await Promise.all(
    [m.control.old, m.control.new].map(async ({ run }) => {
      const [row] = await run<{ value: string }>(`select (${expression})::text as value`)
      return row?.value
    }),
  )
  if (old !== next) throw new Error(`${expression} is ${old} on the old side and ${next} on the new one`)
}

/** For a session with an empty search path. */
export const inPublic = (text: string): string => text.replace('into item', 'into public.item')
