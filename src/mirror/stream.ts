// One direction of the mirror, from the side that publishes to the side that subscribes, and what the catalogs say of it.
import type { ControlConnection, Run } from '../control/control-connection.js'
import { CONTROL_SCHEMA, quoteIdent, sentinelTable, streamName } from '../control/names.js'
import type { Migration } from '../control/migration.js'
import { otherSide } from '../phase/phases.js'
import type { Side } from '../phase/phases.js'

/** One change-carrying direction; publication, slot and subscription share its name. */
export interface Stream {
  readonly name: string
  readonly from: Side
  readonly to: Side
  readonly publisher: ControlConnection
  readonly subscriber: ControlConnection
  /** How the subscriber's server reaches the publisher. Secret. */
  readonly conninfo: string
  /** Ready for use in SQL. */
  readonly quoted: string
  readonly sentinel: string
}

export interface Subscription {
  readonly oid: number
  readonly enabled: boolean
}

export interface StreamTable {
  readonly schema: string
  readonly name: string
}

export interface SubscribedTable extends StreamTable {
  /** `i` waiting, `d` copying, `f` copied, `s` caught up, `r` ready. */
  readonly state: string
}

export interface Slot {
  readonly database: string
  readonly plugin: string
  readonly active: boolean
  readonly walStatus: string | undefined
}

export function streamOf(m: Pick<Migration, 'name' | 'control' | 'reachedBy'>, from: Side): Stream {
  const to = otherSide(from)
  const name = streamName(m.name, from)
  return {
    name,
    from,
    to,
    publisher: m.control[from],
    subscriber: m.control[to],
    conninfo: m.reachedBy[from],
    quoted: quoteIdent(name),
    sentinel: `${quoteIdent(CONTROL_SCHEMA)}.${quoteIdent(sentinelTable(m.name, from))}`,
  }
}

export const tableKey = (table: StreamTable): string => JSON.stringify([table.schema, table.name])

export async function readSubscription(run: Run, stream: Stream): Promise<Subscription | undefined> {
  const [row] = await run<{ oid: number; enabled: boolean }>(
    `select oid, subenabled as enabled from pg_subscription
      where subname = $1 and subdbid = (select oid from pg_database where datname = current_database())`,
    [stream.name],
  )
  return row
}

export function subscribedTables(run: Run, subscription: number): Promise<SubscribedTable[]> {
  return run<{ schema: string; name: string; state: string }>(
    `select n.nspname::text as schema, c.relname::text as name, r.srsubstate::text as state
       from pg_subscription_rel r join pg_class c on c.oid = r.srrelid join pg_namespace n on n.oid = c.relnamespace
      where r.srsubid = $1 order by 1, 2`,
    [subscription],
  )
}

/** The tables whose rows the stream carries: partitions, not their roots. */
export function publishedTables(run: Run, stream: Stream): Promise<StreamTable[]> {
  return run<{ schema: string; name: string }>(
    `select schemaname::text as schema, tablename::text as name from pg_publication_tables where pubname = $1 order by 1, 2`,
    [stream.name],
  )
}

export async function readSlot(run: Run, stream: Stream): Promise<Slot | undefined> {
  const [row] = await run<{ database: string; plugin: string; active: boolean; wal_status: string | null }>(
    `select database::text, plugin::text, active, wal_status from pg_replication_slots where slot_name = $1`,
    [stream.name],
  )
  if (!row) return undefined
  const { database, plugin, active, wal_status: walStatus } = row
  return { database, plugin, active, walStatus: walStatus ?? undefined }
}
