// Waits until the other side has applied everything that was committed on the writer before a moment.
import { setTimeout as delay } from 'node:timers/promises'
import type { ControlConnection } from '../control/control-connection.js'
import { streamName } from '../control/names.js'
import type { Side } from '../phase/phases.js'

/** The subscriber tells its position when it has flushed, which it does a few times a second. */
const LOOK_MILLIS = 50

/**
 * True when the subscriber of `from` has confirmed everything up to now; false when it has not within `timeoutMillis`, or
 * there is no such stream. `writer` is a connection to `from`.
 *
 * A commit is in the WAL, and behind the insert position, before anybody can see it; and the slot's confirmed position is
 * told by the subscriber only for what it has committed and flushed. So whatever a statement on the writer saw before this
 * call can be seen on the other side after it, and a position may pass without a change of the stream's own tables.
 */
export async function mirrorPassed(
  writer: ControlConnection,
  { name, from }: { readonly name: string; readonly from: Side },
  timeoutMillis: number,
  signal?: AbortSignal,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMillis
  const [position] = await writer.run<{ lsn: string }>(`select pg_current_wal_insert_lsn()::text as lsn`)
  const target = endOfLastRecord(position?.lsn ?? '')
  for (;;) {
    const [slot] = await writer.run<{ passed: boolean | null }>(
      `select confirmed_flush_lsn >= $2::pg_lsn as passed from pg_replication_slots where slot_name = $1`,
      [streamName(name, from), target],
    )
    if (slot?.passed === true) return true
    if (slot === undefined || performance.now() + LOOK_MILLIS > deadline) return false
    await delay(LOOK_MILLIS, undefined, { signal, ref: false })
  }
}

/**
 * The insert position at the beginning of a page lies behind the page's header, where no record has ended: on a server
 * that writes nothing more it would never be confirmed. A header has 24 bytes, the first of a segment 40.
 */
export function endOfLastRecord(lsn: string): string {
  const [high = '0', low = '0'] = lsn.split('/')
  const position = Number.parseInt(low, 16)
  const inPage = position % 8_192
  return inPage === 24 || inPage === 40 ? `${high}/${(position - inPage).toString(16).toUpperCase()}` : lsn
}
