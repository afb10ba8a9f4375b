// What a cutover cost the callers, by the ledger's own times and not by what the library says of itself.
import type { Entry, Ledger, Side } from './ledger.js'
import type { Sample } from './latency.js'
import { REPORT } from './reads.js'
import { SLOW } from './writes.js'

export interface Pause {
  /** The last acknowledgement by the side that was left. */
  readonly lastLeft: number
  /** The first acknowledgement by the side that was opened. */
  readonly firstOpened: number
  readonly pauseMillis: number
  /** The longest wait of a write that was under way during the pause. */
  readonly longestHeldMillis: number
  /** Of a read through `pool.query`, which is to flow. */
  readonly longestReadHeldMillis: number
  /** Of a read in a transaction on a client of its own, which has to wait whatever it is for. */
  readonly longestReadTransactionHeldMillis: number
  /** Reads that were sent and answered within the pause. */
  readonly readsMeanwhile: number
}

/** Undefined until both sides have acknowledged a write in the window; of all processes together, or of one. */
export function pauseOf(
  ledger: Ledger,
  opened: Side,
  from: number,
  to: number,
  process?: number,
): Pause | undefined {
  let lastLeft = -Infinity
  let firstOpened = Infinity
  for (const { side, acked, process: by } of waiting(ledger)) {
    if (acked >= to || (process !== undefined && by !== process)) continue
    if (side !== opened) lastLeft = Math.max(lastLeft, acked)
    else if (acked >= from) firstOpened = Math.min(firstOpened, acked)
  }
  if (lastLeft === -Infinity || firstOpened === Infinity) return undefined
  const window = { sent: lastLeft, acked: firstOpened }
  const reads = ledger.reads.filter(({ kind }) => kind !== REPORT)
  return {
    lastLeft: window.sent,
    firstOpened: window.acked,
    pauseMillis: window.acked - window.sent,
    longestHeldMillis: longest(waiting(ledger), window),
    longestReadHeldMillis: longest(reads, window),
    longestReadTransactionHeldMillis: longest(
      ledger.reads.filter(({ kind }) => kind === REPORT),
      window,
    ),
    readsMeanwhile: reads.filter(({ sent, acked }) => sent >= window.sent && acked < window.acked).length,
  }
}

/** What the others wait for is none of those that wait. */
const waiting = ({ entries }: Ledger): readonly Entry[] => entries.filter(({ kind }) => kind !== SLOW)

/** Of the calls that were under way at some moment of the window. */
function longest(samples: readonly Sample[], window: Sample): number {
  let result = 0
  for (const { sent, acked } of samples)
    if (sent <= window.acked && acked >= window.sent) result = Math.max(result, acked - sent)
  return result
}

/** Writes acknowledged by a side that was not the writer at any moment while they were under way. */
export function writesOnTheWrongSide(
  ledger: Ledger,
  moves: readonly { readonly opened: Side; readonly at: number }[],
): Entry[] {
  return ledger.entries.filter(({ side, sent, acked }) => {
    const writer = moves.findLast(({ at }) => at <= sent)?.opened ?? 'old'
    return side !== writer && !moves.some(({ opened, at }) => opened === side && at > sent && at <= acked)
  })
}
