// How fast rows may go: a bound in rows a second, and what a backfill leaves of the servers to everybody else.

/** Spreads rows over time. What goes at once is a whole batch, and the next one waits for as long as it is worth. */
export class RowRate {
  readonly #rowsPerSecond: number
  #free = 0

  /** Infinity: as fast as they come. */
  constructor(rowsPerSecond: number) {
    this.#rowsPerSecond = rowsPerSecond
  }

  /** Milliseconds until further rows may go; 0 for now. */
  pauseMillis(now = performance.now()): number {
    return Math.max(0, this.#free - now)
  }

  took(rows: number, now = performance.now()): void {
    this.#free = Math.max(now, this.#free) + (rows / this.#rowsPerSecond) * 1_000
  }
}

/** Live changes are put on record behind the keys of the backfill, so they wait for at most so many batches of it. */
const MOST_BATCHES_ON_RECORD = 2

/** A step of some thousand keys takes a server a few dozen milliseconds. */
const SLOW_STEP_MILLIS = 250
const SLOW_LAG_MILLIS = 1_000
/** After a slow step it rests for so many times its length: a server in need gives it a fifth of its time at most. */
const RESTS = 4
const FEWEST_ROWS = 100
const GROWTH = 1.25

/**
 * Says how many keys the next step may put on record. The rule: nothing while two batches wait on record; after a slow
 * step, or while live changes are slow, half as many and a rest of four times that length; otherwise a quarter more.
 *
 * It never stops for good, so on a server that is always slow it takes five times as long and live changes wait behind a
 * small step. A server that is slow for a reason of its own, such as a lock, slows the backfill for nothing. And one step
 * may still take as long as the connection allows a statement.
 */
export class BackfillThrottle {
  readonly #most: number
  readonly #rate: RowRate
  #rows: number
  #restsUntil = 0

  constructor(settings: { readonly batchRows: number; readonly backfillRowsPerSecond: number }) {
    this.#most = settings.batchRows
    // A step larger than a tenth of a second's rows would come in bursts.
    this.#rows = Math.max(1, Math.min(this.#most, Math.ceil(settings.backfillRowsPerSecond / 10)))
    this.#most = this.#rows
    this.#rate = new RowRate(settings.backfillRowsPerSecond)
  }

  /** Keys that may be put on record now; 0 for none. `onRecord` is how many rows wait there, as far as is known. */
  next(onRecord: number, now = performance.now()): number {
    if (now < this.#restsUntil || this.#rate.pauseMillis(now) > 0) return 0
    const room = this.#most * MOST_BATCHES_ON_RECORD - onRecord
    // A trickle of small steps would cost more than it brings.
    return room < this.#rows / 2 ? 0 : Math.min(this.#rows, room)
  }

  /** What the step took, and how long a live change took lately from its commit until it was on the other side. */
  stepped(rows: number, millis: number, lagMillis: number, now = performance.now()): void {
    this.#rate.took(rows, now)
    if (millis > SLOW_STEP_MILLIS || lagMillis > SLOW_LAG_MILLIS) {
      this.#rows = Math.max(Math.min(FEWEST_ROWS, this.#most), Math.floor(this.#rows / 2))
      this.#restsUntil = now + RESTS * Math.max(millis, Math.min(lagMillis, SLOW_LAG_MILLIS))
    } else this.#rows = Math.min(this.#most, Math.ceil(this.#rows * GROWTH))
  }
}
