// What the catalogs and statistics of both sides say about a stream.
import type { Migration } from '../control/migration.js'
import type { Side } from '../phase/phases.js'
import { streamOf } from './stream.js'
import type { Stream } from './stream.js'

export interface StreamHealth {
  /** The subscription is there. */
  readonly exists: boolean
  readonly enabled: boolean
  readonly tablesReady: number
  /** Published tables; while the publisher is out of reach, those that the subscription knows. */
  readonly tablesTotal: number
  /** Failures of copy and apply since the statistics began. Compare two values; one alone says nothing. */
  readonly applyErrors: number
  /** WAL that the slot keeps on the publisher; undefined without a slot or out of reach. */
  readonly slotRetainedBytes: number | undefined
}

/** Needs the subscriber; a publisher that does not answer leaves its half out. */
export async function streamHealth(m: Migration, from: Side): Promise<StreamHealth> {
  const stream = streamOf(m, from)
  const [subscriber, publisher] = await Promise.all([subscriberHalf(stream), publisherHalf(stream)])
  return {
    ...subscriber,
    tablesTotal: Math.max(publisher?.published ?? 0, subscriber.tablesTotal),
    slotRetainedBytes: publisher?.retained,
  }
}

async function subscriberHalf(stream: Stream): Promise<Omit<StreamHealth, 'slotRetainedBytes'>> {
  const [row] = await stream.subscriber.run<{
    enabled: boolean
    ready: number
    total: number
    errors: string
  }>(
    `select s.subenabled as enabled,
        (select count(*) from pg_subscription_rel r where r.srsubid = s.oid and r.srsubstate = 'r')::int as ready,
        (select count(*) from pg_subscription_rel r where r.srsubid = s.oid)::int as total,
        coalesce((select t.apply_error_count + t.sync_error_count from pg_stat_subscription_stats t where t.subid = s.oid), 0)
          as errors
       from pg_subscription s
      where s.subname = $1 and s.subdbid = (select oid from pg_database where datname = current_database())`,
    [stream.name],
  )
  return {
    exists: row !== undefined,
    enabled: row?.enabled ?? false,
    tablesReady: row?.ready ?? 0,
    tablesTotal: row?.total ?? 0,
    applyErrors: Number(row?.errors ?? 0),
  }
}

async function publisherHalf(
  stream: Stream,
): Promise<{ published: number; retained: number | undefined } | undefined> {
  try {
    const [row] = await stream.publisher.run<{ published: number; retained: string | null }>(
      `select (select count(*) from pg_publication_tables where pubname = $1)::int as published,
          (select pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) from pg_replication_slots where slot_name = $1) as retained`,
      [stream.name],
    )
    if (!row) return undefined
    return {
      published: row.published,
      retained: row.retained === null ? undefined : Number(row.retained),
    }
  } catch {
    return undefined
  }
}
