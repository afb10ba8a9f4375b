// Begins a mirror by dual-write: both sides record their changes, and what was there before is brought over.
import type { Migration } from '../control/migration.js'
import { installCapture } from '../dual-write/capture.js'
import { RelayMember } from '../dual-write/relay-member.js'
import type { MirroredTable } from '../dual-write/tables.js'
import { waitForBackfill } from '../dual-write/wait-for-backfill.js'
import { relayWay } from '../dual-write/way.js'
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
  await captureBoth(m, from, performance.now() + m.timings.prepareTimeoutMillis)
  const relay = new RelayMember(m, from)
  relay.start()
  try {
    await waitForBackfill(
      m,
      from,
      (progress) => m.events.publish('progress', progress),
      performance.now() + m.timings.copyTimeoutMillis,
    )
  } finally {
    await relay.close()
  }
}
