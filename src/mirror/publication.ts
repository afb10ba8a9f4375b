// The publishing half of a stream: the sentinel table, the publication with its explicit list, and the slot.
import type { Run } from '../control/control-connection.js'
import { CONTROL_SCHEMA, quoteIdent, sentinelTable } from '../control/names.js'
import type { Migration } from '../control/migration.js'
import { CutoverError } from '../errors.js'
import { readScope } from './scope.js'
import { patiently } from './patient.js'
import { readSlot, tableKey } from './stream.js'
import type { Stream, StreamTable } from './stream.js'

/**
 * Makes the publication carry exactly the tables in scope and the sentinel. A list, never FOR ALL TABLES: other
 * people's tables are none of ours, and a list can be changed. Roots are listed too, so that a partition made later is
 * published at once.
 */
export async function ensurePublication(m: Migration, stream: Stream): Promise<void> {
  await patiently(stream.publisher, m.timings.prepareTimeoutMillis, (connection) =>
    connection.transaction(async (run) => {
      await serialise(run, stream)
      await ensureSentinel(run, stream, 'with its row')
      const wanted: StreamTable[] = [
        ...(await readScope(run, m.tables)),
        { schema: CONTROL_SCHEMA, name: sentinelTable(m.name, stream.from) },
      ]
      const listed = await listedTables(run, stream)
      if (!listed) {
        // Its settings are written out: a default may be changed by a later Postgres.
        await run(`create publication ${stream.quoted} for table ${wanted.map(only).join(', ')}
          with (publish = 'insert, update, delete, truncate', publish_via_partition_root = false)`)
        return
      }
      const [have, want] = [new Set(listed.map(tableKey)), new Set(wanted.map(tableKey))]
      const added = wanted.filter((table) => !have.has(tableKey(table)))
      const removed = listed.filter((table) => !want.has(tableKey(table)))
      if (added.length > 0)
        await run(`alter publication ${stream.quoted} add table ${added.map(only).join(', ')}`)
      if (removed.length > 0)
        await run(`alter publication ${stream.quoted} drop table ${removed.map(only).join(', ')}`)
    }),
  )
}

/**
 * The table whose one row a fence updates, so that its arrival proves the arrival of everything before it. On the
 * subscribing side of an initial copy it is left empty, since the row arrives with the copy.
 */
export async function ensureSentinel(run: Run, stream: Stream, row: 'with its row' | 'empty'): Promise<void> {
  await run(
    `create table if not exists ${stream.sentinel} (id int primary key default 1, epoch bigint not null)`,
  )
  if (row === 'with its row')
    await run(`insert into ${stream.sentinel} (id, epoch) values (1, 0) on conflict do nothing`)
  else await run(`delete from ${stream.sentinel}`)
}

/** Two processes that prepare at once do the same work twice instead of failing on each other's catalog rows. */
export async function serialise(run: Run, stream: Stream): Promise<void> {
  await run(`select pg_advisory_xact_lock(hashtextextended($1, 0))`, [stream.name])
}

/**
 * Made by us, not by CREATE SUBSCRIPTION, so that each step can be repeated alone. An older slot of ours serves as well:
 * changes from before a table's copy are skipped for that table.
 */
export async function ensureSlot(m: Migration, stream: Stream): Promise<void> {
  // It waits for every transaction that is running now, so it may take long.
  await patiently(stream.publisher, m.timings.prepareTimeoutMillis, async ({ run }) => {
    const slot = await readSlot(run, stream)
    if (slot) {
      const [row] = await run<{ database: string }>(`select current_database()::text as database`)
      if (slot.database !== row?.database || slot.plugin !== 'pgoutput')
        throw new CutoverError(
          'ERR_PREPARE',
          `the replication slot "${stream.name}" of the ${stream.from} server belongs to database "${slot.database}" (${slot.plugin}); give this migration another name, or drop the slot`,
        )
      if (slot.walStatus !== 'lost') return
      await run(`select pg_drop_replication_slot($1)`, [stream.name])
    }
    await run(`select pg_create_logical_replication_slot($1, 'pgoutput')`, [stream.name]).catch(
      async (error: unknown) => {
        if (!(await readSlot(run, stream))) throw error
      },
    )
  })
}

const only = (table: StreamTable): string => `only ${quoteIdent(table.schema)}.${quoteIdent(table.name)}`

async function listedTables(run: Run, stream: Stream): Promise<StreamTable[] | undefined> {
  const rows = await run<{ schema: string | null; name: string | null }>(
    `select n.nspname::text as schema, c.relname::text as name
       from pg_publication p left join pg_publication_rel r on r.prpubid = p.oid
       left join pg_class c on c.oid = r.prrelid left join pg_namespace n on n.oid = c.relnamespace
      where p.pubname = $1`,
    [stream.name],
  )
  if (rows.length === 0) return undefined
  return rows.flatMap(({ schema, name }) => (schema === null || name === null ? [] : [{ schema, name }]))
}
