// Takes a stream away on both sides, also when one of them does not answer.
import { setTimeout as delay } from 'node:timers/promises'
import type { Run } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import { CutoverError } from '../errors.js'
import type { Side } from '../phase/phases.js'
import { readSlot, readSubscription, streamOf } from './stream.js'
import type { Stream } from './stream.js'
import { dropSubscription } from './subscription.js'

/**
 * Drops subscription, slots, publication and sentinel tables; nothing of it need be there. A side out of reach does not
 * keep the other from being cleaned; then it rejects with that side's error, and a later call does the rest.
 */
export async function dropStream(m: Migration, from: Side): Promise<void> {
  const stream = streamOf(m, from)
  // The subscriber first: its workers hold the slots.
  const subscriber = await Promise.allSettled([dropSubscriberHalf(stream)])
  const publisher = await Promise.allSettled([dropPublisherHalf(stream)])
  const failed = [...subscriber, ...publisher].find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
}

async function dropSubscriberHalf(stream: Stream): Promise<void> {
  await stream.subscriber.transaction(async (run) => {
    if (await readSubscription(run, stream)) await dropSubscription(run, stream)
    await dropSentinel(run, stream)
  })
}

async function dropPublisherHalf(stream: Stream): Promise<void> {
  const { run } = stream.publisher
  if (await readSlot(run, stream)) await dropSlot(run, stream, stream.name)
  await stream.publisher.transaction(async (inside) => {
    await inside(`drop publication if exists ${stream.quoted}`)
    await dropSentinel(inside, stream)
  })
  // Last, since the subscriber has to be asked, which may be gone.
  for (const slot of await orphanedSlots(stream)) await dropSlot(run, stream, slot)
}

async function dropSentinel(run: Run, stream: Stream): Promise<void> {
  // DROP … IF EXISTS on a missing schema is a notice, not an error.
  await run(`drop table if exists ${stream.sentinel}`)
}

/** Slots of table copies that were cut off: their names hold the subscription and the subscriber's own identifier. */
async function orphanedSlots(stream: Stream): Promise<string[]> {
  const [subscriber] = await stream.subscriber.run<{ system: string; subscriptions: string[] }>(
    `select system_identifier::text as system, array(select oid::text from pg_subscription) as subscriptions
       from pg_control_system()`,
  )
  if (!subscriber) return []
  const slots = await stream.publisher.run<{ slot: string; subscription: string }>(
    `select slot_name::text as slot, (regexp_match(slot_name, '^pg_(\\d+)_sync_'))[1] as subscription
       from pg_replication_slots
      where database = current_database() and slot_name ~ ('^pg_\\d+_sync_\\d+_' || $1 || '$')`,
    [subscriber.system],
  )
  return slots
    .filter(({ subscription }) => !subscriber.subscriptions.includes(subscription))
    .map(({ slot }) => slot)
}

// The walsender lets go of its slot when it notices that the subscriber's worker has gone.
async function dropSlot(run: Run, stream: Stream, slot: string): Promise<void> {
  const deadline = Date.now() + RELEASE_MILLIS
  for (;;) {
    try {
      await run(`select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = $1`, [
        slot,
      ])
      return
    } catch (error) {
      const inUse = error instanceof Error && 'code' in error && error.code === '55006'
      if (!inUse) throw error
      if (Date.now() > deadline)
        throw new CutoverError(
          'ERR_BUSY',
          `the replication slot "${slot}" of the ${stream.from} server is still in use after ${RELEASE_MILLIS} ms`,
          { cause: error },
        )
    }
    await delay(LOOK_MILLIS)
  }
}

const RELEASE_MILLIS = 10_000
const LOOK_MILLIS = 20
