// Waits for the initial copy of a stream, table by table, and says how far it has come.
import { setTimeout as delay } from 'node:timers/promises'
import type { Run } from '../control/control-connection.js'
import { CutoverError } from '../errors.js'
import type { ProgressEvent } from '../events.js'
import { publishedTables, readSubscription, subscribedTables, tableKey } from './stream.js'
import type { Stream, SubscribedTable } from './stream.js'

/** The copy is the server's work; looking too often would only take its time. */
const FIRST_LOOK_MILLIS = 20
const SLOWEST_LOOK_MILLIS = 1_000

/** A worker that fails is started again every few seconds; a cut connection is no reason to give up. */
const FAILURES_WITHOUT_PROGRESS = 3

export interface CopyOptions {
  readonly migration: string
  readonly timeoutMillis: number
  readonly onProgress: (progress: ProgressEvent) => void
}

/** Resolves when every published table, the sentinel among them, is ready on the subscriber. */
export async function waitForCopy(stream: Stream, options: CopyOptions): Promise<void> {
  const { run } = stream.subscriber
  const sizes = await publishedBytes(stream)
  const total = [...sizes.values()].reduce((sum, bytes) => sum + bytes, 0)
  const deadline = Date.now() + options.timeoutMillis
  let pause = FIRST_LOOK_MILLIS
  let reported = ''
  let best = -1
  let errorsBefore: number | undefined
  let failures = 0
  for (;;) {
    const subscription = await readSubscription(run, stream)
    if (!subscription) throw new CutoverError('ERR_PREPARE', `the subscription "${stream.name}" was dropped`)
    if (!subscription.enabled)
      throw new CutoverError(
        'ERR_PREPARE',
        `the subscription "${stream.name}" on the ${stream.to} side is disabled, so nothing is copied`,
      )
    const tables = await subscribedTables(run, subscription.oid)
    const pending = tables.filter((table) => table.state !== 'r')
    const ready = tables.length - pending.length
    const copying = await copyingBytes(run, subscription.oid)
    const done = tables.reduce((sum, table) => sum + bytesDone(table, sizes, copying), 0)
    const progress = {
      name: options.migration,
      step: 'copy',
      detail: `${ready} of ${tables.length} tables`,
      done,
      total,
    }
    if (reported !== (reported = `${ready} ${done}`)) options.onProgress(progress)
    if (pending.length === 0 && covers(tables, sizes)) return

    const errors = await syncErrors(run, subscription.oid)
    if (ready + done > best) [best, failures] = [ready + done, 0]
    // Failures while the publisher is away say nothing about the copy; it goes on when the publisher is back.
    else if (errors > (errorsBefore ?? errors)) failures = (await answers(stream)) ? failures + 1 : 0
    errorsBefore = errors
    if (failures >= FAILURES_WITHOUT_PROGRESS)
      throw new CutoverError(
        'ERR_PREPARE',
        `the initial copy keeps failing; the log of the ${stream.to} server says why. Not ready: ${namesOf(pending)}`,
        { details: { pending: pending.map(tableName) } },
      )
    if (Date.now() > deadline)
      throw new CutoverError(
        'ERR_PREPARE',
        `the initial copy was not finished after ${options.timeoutMillis} ms. Not ready: ${namesOf(pending)}`,
        { details: { pending: pending.map(tableName) } },
      )
    await delay(pause)
    pause = Math.min(pause * 1.5, SLOWEST_LOOK_MILLIS)
  }
}

const tableName = (table: SubscribedTable): string => `${table.schema}.${table.name}`

const namesOf = (tables: readonly SubscribedTable[]): string =>
  tables.slice(0, 5).map(tableName).join(', ') + (tables.length > 5 ? ` and ${tables.length - 5} more` : '')

function covers(tables: readonly SubscribedTable[], sizes: ReadonlyMap<string, number>): boolean {
  const have = new Set(tables.map(tableKey))
  return [...sizes.keys()].every((key) => have.has(key))
}

// The copied text and the size on disk differ, so a table under way counts for at most its size.
function bytesDone(
  table: SubscribedTable,
  sizes: ReadonlyMap<string, number>,
  copying: ReadonlyMap<string, number>,
): number {
  const size = sizes.get(tableKey(table)) ?? 0
  if (table.state !== 'i' && table.state !== 'd') return size
  return Math.min(copying.get(tableKey(table)) ?? 0, size)
}

async function publishedBytes(stream: Stream): Promise<Map<string, number>> {
  const rows = await stream.publisher.run<{ schema: string; name: string; bytes: string }>(
    `select p.schemaname::text as schema, p.tablename::text as name, pg_relation_size(c.oid) as bytes
       from pg_publication_tables p join pg_namespace n on n.nspname = p.schemaname
       join pg_class c on c.relnamespace = n.oid and c.relname = p.tablename
      where p.pubname = $1`,
    [stream.name],
  )
  return new Map(rows.map((row) => [tableKey(row), Number(row.bytes)]))
}

async function copyingBytes(run: Run, subscription: number): Promise<Map<string, number>> {
  const rows = await run<{ schema: string; name: string; bytes: string }>(
    `select n.nspname::text as schema, c.relname::text as name, p.bytes_processed as bytes
       from pg_stat_progress_copy p join pg_subscription_rel r on r.srrelid = p.relid and r.srsubid = $1
       join pg_class c on c.oid = p.relid join pg_namespace n on n.oid = c.relnamespace
      where p.datname = current_database()`,
    [subscription],
  )
  return new Map(rows.map((row) => [tableKey(row), Number(row.bytes)]))
}

async function syncErrors(run: Run, subscription: number): Promise<number> {
  const [row] = await run<{ errors: string }>(
    `select sync_error_count + apply_error_count as errors from pg_stat_subscription_stats where subid = $1`,
    [subscription],
  )
  return Number(row?.errors ?? 0)
}

const answers = (stream: Stream): Promise<boolean> =>
  stream.publisher.run(`select 1`).then(
    () => true,
    () => false,
  )

/** True when the subscription lacks a table that is published, or has one that is not. */
export async function needsRefresh(stream: Stream, oid: number, subscriber: Run): Promise<boolean> {
  const published = new Set((await publishedTables(stream.publisher.run, stream)).map(tableKey))
  const subscribed = new Set((await subscribedTables(subscriber, oid)).map(tableKey))
  return published.size !== subscribed.size || [...published].some((key) => !subscribed.has(key))
}
