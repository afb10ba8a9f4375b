// What one change of writer cost the callers, by their own clock and not by what the library says of itself.
import type { CutoverEvent } from '../../src/index.js'
import { quantile } from '../paired.js'
import type { Call } from './traffic.js'

/** What was noted of a move while it was made; all moments are of one clock. */
export interface Seen {
  readonly calls: readonly Call[]
  /** When the last attempt's `hold` began and its `open` was done. */
  readonly heldAt: number
  readonly openedAt: number
  /** The end of a long query that was in flight when the hold began. */
  readonly longEndedAt: number | undefined
  /** Attempts that changed nothing. */
  readonly aborted: number
}

export interface Move {
  /** From the last write that the side left acknowledged to the first that the other one acknowledged. */
  readonly pauseMillis: number
  /** Of the pause, what came after the end of the long query that was in flight. */
  readonly afterLongMillis: number | undefined
  /** The longest wait of a write that was under way during the pause, and of any other one around the move. */
  readonly longestMillis: number
  readonly aroundMillis: number
  /** What a write waits otherwise, in the median. */
  readonly usualMillis: number
  /** The longest wait of a read that was under way during the pause; undefined without reads. */
  readonly readMillis: number | undefined
  /** Reads that were due and answered within the pause. */
  readonly readsMeanwhile: number
  /** From the beginning of the hold to the last acknowledgement by the side left, and from the opening to the first by the other. */
  readonly lastMillis: number
  readonly firstMillis: number
  readonly writesASecond: number
  readonly aborted: number
  readonly steps: Readonly<Record<string, number>>
}

export function moveOf(seen: Seen, event: CutoverEvent | undefined): Move {
  if (event?.outcome !== 'done') throw new Error(`the writer was not changed: ${event?.reason}`)
  const left = event.direction === 'old→new' ? 'old' : 'new'
  const writes = seen.calls.filter(({ kind }) => kind === 'write')
  const reads = seen.calls.filter(({ kind }) => kind === 'read')
  const times = (on: (call: Call) => boolean): number[] => writes.filter(on).map(({ acked }) => acked)
  const last = Math.max(...times(({ side }) => side === left))
  const first = Math.min(...times(({ side }) => side !== left))
  if (!Number.isFinite(first - last)) throw new Error('no write was acknowledged on both sides of the move')
  const wasUnderWay = ({ due, acked }: Call): boolean => due <= first && acked >= last
  const others = writes.filter((call) => !wasUnderWay(call)).map(waited)
  return {
    pauseMillis: first - last,
    afterLongMillis: seen.longEndedAt === undefined ? undefined : first - Math.max(last, seen.longEndedAt),
    longestMillis: Math.max(...writes.filter(wasUnderWay).map(waited)),
    aroundMillis: Math.max(...others),
    usualMillis: quantile(others, 0.5),
    readMillis: reads.length === 0 ? undefined : Math.max(0, ...reads.filter(wasUnderWay).map(waited)),
    readsMeanwhile: reads.filter(({ due, acked }) => due >= last && acked <= first).length,
    lastMillis: last - seen.heldAt,
    firstMillis: first - seen.openedAt,
    writesASecond: rate(writes),
    aborted: seen.aborted,
    steps: event.steps,
  }
}

const waited = ({ due, acked }: Call): number => acked - due

const rate = (calls: readonly Call[]): number => {
  const times = calls.map(({ acked }) => acked)
  return ((times.length - 1) * 1_000) / (Math.max(...times) - Math.min(...times))
}
