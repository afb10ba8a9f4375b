// Turns a stream off and on inside the coordinator's guarded transactions, and moves its origin, only ever forward.
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Run } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import { CutoverError } from '../errors.js'
import type { Side } from '../phase/phases.js'
import { readSubscription, streamOf } from './stream.js'

/** In the caller's transaction on the subscribing side. Nothing to do if the subscription is not there. */
export async function disableStream(m: Migration, from: Side, run: Run): Promise<void> {
  const stream = streamOf(m, from)
  const subscription = await readSubscription(run, stream)
  if (subscription?.enabled) await run(`alter subscription ${stream.quoted} disable`)
}

/** In the caller's transaction on the subscribing side, after {@link advanceOrigin}. */
export async function enableStream(m: Migration, from: Side, run: Run): Promise<void> {
  const stream = streamOf(m, from)
  const subscription = await readSubscription(run, stream)
  if (!subscription)
    throw new CutoverError(
      'ERR_REVERSE',
      `there is no subscription "${stream.name}" on the ${stream.to} side to enable`,
    )
  if (!subscription.enabled) await run(`alter subscription ${stream.quoted} enable`)
}

/**
 * In the caller's transaction on the subscribing side: the stream will begin at `lsn` of its publisher. Only for a
 * disabled subscription, and never backwards: Postgres would move it back without complaint and apply old rows again.
 * Not undone by a rollback, which is harmless: the position is right whether or not the stream is enabled now.
 */
export async function advanceOrigin(m: Migration, from: Side, lsn: string, run: Run): Promise<void> {
  const stream = streamOf(m, from)
  const subscription = await readSubscription(run, stream)
  if (!subscription)
    throw new CutoverError(
      'ERR_REVERSE',
      `there is no subscription "${stream.name}" on the ${stream.to} side`,
    )
  if (subscription.enabled) return
  await run(
    `select pg_replication_origin_advance(o.roname, $2::pg_lsn)
       from (select roname, pg_replication_origin_progress(roname, true) as progress
               from pg_replication_origin where roname = $1) o
      where coalesce(o.progress, '0/0') < $2::pg_lsn`,
    [`pg_${subscription.oid}`, lsn],
  )
}

/**
 * Does the work, which moves an origin, and again for as long as the origin is in use: a worker that ends gives its origin
 * back a moment after it has left the statistics. `deadline` is by `performance.now()`.
 */
export async function onceOriginIsFree<T>(deadline: number, work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      const inUse = error instanceof pg.DatabaseError && error.code === '55006'
      if (!inUse || performance.now() >= deadline) throw error
      await delay(LOOK_MILLIS)
    }
  }
}

/** Resolves when no worker of the (disabled) subscription runs any more; rejects after `timeoutMillis`. */
export async function workerGone(m: Migration, from: Side, timeoutMillis: number): Promise<void> {
  const stream = streamOf(m, from)
  const deadline = Date.now() + timeoutMillis
  for (;;) {
    const workers = await stream.subscriber.run(
      `select pid from pg_stat_subscription where subname = $1 and pid is not null
         and subid in (select oid from pg_subscription where subdbid =
           (select oid from pg_database where datname = current_database()))`,
      [stream.name],
    )
    if (workers.length === 0) return
    if (Date.now() > deadline)
      throw new CutoverError(
        'ERR_REVERSE',
        `the apply worker of "${stream.name}" on the ${stream.to} side still runs after ${timeoutMillis} ms`,
      )
    await delay(LOOK_MILLIS)
  }
}

const LOOK_MILLIS = 10
