// Native logical replication as the mirror: builds the forward stream with its copy, and the reverse stream that waits.
import type { Run } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import { CutoverError } from '../errors.js'
import type { ProgressEvent } from '../events.js'
import { otherSide } from '../phase/phases.js'
import type { Side } from '../phase/phases.js'
import { needsRefresh, waitForCopy } from './initial-copy.js'
import { patiently } from './patient.js'
import { ensurePublication, ensureSentinel, ensureSlot, serialise } from './publication.js'
import { streamHealth } from './stream-health.js'
import { readSlot, readSubscription, streamOf } from './stream.js'
import type { Stream } from './stream.js'
import { createSubscription, dropSubscription, refreshSubscription } from './subscription.js'

export { dropStream } from './drop-stream.js'
export { housekeeping } from './housekeeping.js'
export { streamHealth } from './stream-health.js'
export { advanceOrigin, disableStream, enableStream, onceOriginIsFree, workerGone } from './stream-switch.js'

/**
 * Publishes the scope on `from`, subscribes the other side with an initial copy, and resolves when every table is
 * ready. May be called again at any time: what is there is kept, new tables are added, a copy under way is waited for.
 * A disabled stream is never enabled here, since only the step that has moved its origin may do that.
 */
export async function createForward(
  m: Migration,
  from: Side,
  onProgress: (progress: ProgressEvent) => void,
): Promise<void> {
  const stream = streamOf(m, from)
  await ensurePublication(m, stream)
  const existing = await readSubscription(stream.subscriber.run, stream)
  if (existing && !existing.enabled)
    throw new CutoverError(
      'ERR_PREPARE',
      `the subscription "${stream.name}" on the ${stream.to} side is disabled; run recover, or drop the mirror and make it again`,
    )
  if (existing) await refresh(m, stream, existing.oid)
  else await subscribeWithCopy(m, stream)
  await waitForCopy(stream, { migration: m.name, timeoutMillis: m.timings.copyTimeoutMillis, onProgress })
}

async function refresh(m: Migration, stream: Stream, oid: number): Promise<void> {
  if (!(await readSlot(stream.publisher.run, stream)))
    throw new CutoverError(
      'ERR_PREPARE',
      `the replication slot "${stream.name}" of the ${stream.from} server is gone, and with it changes that were not yet copied; drop the mirror and make it again`,
    )
  if (!(await needsRefresh(stream, oid, stream.subscriber.run))) return
  await patiently(stream.subscriber, m.timings.prepareTimeoutMillis, ({ run }) =>
    refreshSubscription(run, stream),
  )
}

async function subscribeWithCopy(m: Migration, stream: Stream): Promise<void> {
  await ensureSlot(m, stream)
  await patiently(stream.subscriber, m.timings.prepareTimeoutMillis, (connection) =>
    connection.transaction(async (run) => {
      await serialise(run, stream)
      // Locked to the commit: a process that stalls here must not wake and copy old rows onto a side that was opened.
      await requireStatus(run, m, stream.to, ['mirror', 'moved'])
      if (await readSubscription(run, stream)) return
      await ensureSentinel(run, stream, 'empty')
      await createSubscription(run, stream, 'copy')
    }),
  )
}

/**
 * Prepares the way back: publication and slot on `from`, the side to be opened, and a disabled subscription on the side
 * that writes now. Refuses until the forward stream is ready, since every row of its copy would pass through the slot.
 */
export async function createReverse(m: Migration, from: Side): Promise<void> {
  const stream = streamOf(m, from)
  const forward = await streamHealth(m, otherSide(from))
  if (!forward.exists || forward.tablesReady < forward.tablesTotal)
    throw new CutoverError(
      'ERR_PREPARE',
      `the mirror to the ${from} side has ${forward.tablesReady} of ${forward.tablesTotal} tables ready; the way back is made after it`,
    )
  await requireStatus(stream.publisher.run, m, from, ['mirror', 'moved'])
  await ensurePublication(m, stream)
  await ensureSlot(m, stream)
  await patiently(stream.subscriber, m.timings.prepareTimeoutMillis, (connection) =>
    connection.transaction(async (run) => {
      await serialise(run, stream)
      // No cutover is past its fence while this holds, so none is about to enable what is dropped here.
      await requireStatus(run, m, stream.to, ['writer'])
      const existing = await readSubscription(run, stream)
      if (existing?.enabled)
        throw new CutoverError(
          'ERR_PREPARE',
          `the subscription "${stream.name}" is enabled although the ${stream.to} side writes; disable it`,
        )
      if (existing && !(await needsRefresh(stream, existing.oid, run))) return
      // A disabled subscription cannot be refreshed, and this one has never applied anything that its origin must know:
      // the origin is set again before it is enabled.
      if (existing) await dropSubscription(run, stream)
      await ensureSentinel(run, stream, 'with its row')
      await createSubscription(run, stream, 'idle')
    }),
  )
}

async function requireStatus(run: Run, m: Migration, side: Side, allowed: readonly string[]): Promise<void> {
  const [row] = await run<{ status: string }>(
    `select status::text as status from cutover.side where name = $1 for share`,
    [m.name],
  )
  if (row && allowed.includes(row.status)) return
  throw new CutoverError(
    'ERR_RIVAL',
    `the ${side} side is ${row ? `"${row.status}"` : 'not set up'}, expected ${allowed.map((status) => `"${status}"`).join(' or ')}; read the status before trying again`,
  )
}
