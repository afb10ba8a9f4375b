// Begins a mirror by dual-write: both sides record their changes, and what was there before is brought over.
import type { Migration } from '../control/migration.js'
import { captureGaps } from '../dual-write/capture-state.js'
import { installCapture } from '../dual-write/capture.js'
import { RelayMember } from '../dual-write/relay-member.js'
import type { MirroredTable } from '../dual-write/tables.js'
import { waitForBackfill } from '../dual-write/wait-for-backfill.js'
import { relayWay } from '../dual-write/way.js'
import { CutoverError } from '../errors.js'
import { otherSide } from '../phase/phases.js'
import type { Side } from '../phase/phases.js'

/**
 * Has both sides record changes: the one that writes from now on, the other one from its first write on, and until then it
 * says nothing of what the relay writes there. A table that begins to be captured has its backfill begun with it.
 */
export async function captureBoth(
  m: Migration,
  from: Side,
  deadline: number,
): Promise<Record<Side, readonly MirroredTable[]>> {
  // The capture of a side is made for the role that relays to it.
  for (const side of ['old', 'new'] as const) await relayWay(m.control[side].run, m, side)
  const opened = await installCapture(m, otherSide(from), deadline)
  const left = await installCapture(m, from, deadline)
  return from === 'old' ? { old: left.tables, new: opened.tables } : { old: opened.tables, new: left.tables }
}

/**
 * Resolves when the other side has every row, and what was changed meanwhile. This process has its part in the relay for as
 * long as that takes, whatever others there are. Begun again it goes on where it was.
 */
export async function beginDualWrite(m: Migration, from: Side): Promise<void> {
  const captured = await captureBoth(m, from, performance.now() + m.timings.prepareTimeoutMillis)
  const relay = new RelayMember(m, from)
  relay.start()
  try {
    await waitForBackfill(
      m,
      from,
      (progress) => m.events.publish('progress', progress),
      performance.now() + m.timings.copyTimeoutMillis,
    )
    await requireCaptured(m, from, captured[from])
  } finally {
    await relay.close()
  }
}

/** Somebody may still have been at ending the mirror of before. */
async function requireCaptured(m: Migration, from: Side, tables: readonly MirroredTable[]): Promise<void> {
  const gaps = await captureGaps(m.control[from].run, m, tables)
  if (gaps.length === 0) return
  const named = gaps.map(({ table, fault }) => `${table.from.schema}.${table.from.name} (${fault})`)
  throw new CutoverError(
    'ERR_PREPARE',
    `not all changes of these tables were recorded while they were brought over: ${named.join(', ')}; begin again`,
  )
}
