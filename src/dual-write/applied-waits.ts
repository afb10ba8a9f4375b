// Everybody in one process who waits until the other side has what is committed: a few tickets, or one look, for all.

/** What the process's member of the relay says and does. */
export interface AppliedMember {
  readonly leading: boolean
  /** Resolves when everything that was committed before the call is on the other side; perhaps never, where it does not lead. */
  applied(): Promise<void>
}

/** One look at the record, in one snapshot. */
export interface RecordLook {
  /** Whatever was committed before the look has a lower transaction id. */
  readonly boundary: bigint
  /** The lowest transaction id that is on record. */
  readonly oldest: bigint | undefined
}

interface Waiter {
  readonly since: number
  /** Of the first look that began after it had begun to wait. */
  boundary: bigint | undefined
  readonly done: () => void
}

// One each for the callers of an ordinary pool. Whoever comes when all are out shares the next one.
const MOST_TICKETS = 32
// A ticket that takes longer may be one of a leader that leads no more, and the record itself knows.
const LATE_MILLIS = 100
// The longer somebody waits the more seldom are the looks: nobody notices a sixteenth.
const SHARE_OF_WAIT = 1 / 16
const SHORTEST_PAUSE_MILLIS = 1
const LONGEST_PAUSE_MILLIS = 50

export class AppliedWaits {
  readonly #member: AppliedMember
  readonly #look: () => Promise<RecordLook>
  readonly #waiting = new Set<Waiter>()
  /** Those that no ticket was taken for. */
  #next = new Set<Waiter>()
  #tickets = 0
  #timer: NodeJS.Timeout | undefined
  #looking = false
  #lookedAt = Number.NEGATIVE_INFINITY
  #closed = false

  /** `look` begins a look at the writer's record and may reject; one at a time is asked for. */
  constructor(member: AppliedMember, look: () => Promise<RecordLook>) {
    this.#member = member
    this.#look = look
  }

  /**
   * Resolves when everything that was committed on the writer before the call is on the other side, or when nobody waits
   * for that any more, see {@link close}. Rejects with the reason of `signal` alone.
   */
  passed(signal: AbortSignal): Promise<void> {
    if (this.#closed) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const over = (): void => {
        this.#waiting.delete(waiter)
        this.#next.delete(waiter)
        signal.removeEventListener('abort', aborted)
      }
      const aborted = (): void => {
        over()
        reject(signal.reason as Error)
      }
      const done = (): void => {
        over()
        resolve()
      }
      const waiter: Waiter = { since: performance.now(), boundary: undefined, done }
      if (signal.aborted) return aborted()
      signal.addEventListener('abort', aborted)
      this.#waiting.add(waiter)
      this.#next.add(waiter)
      this.#takeTicket()
      this.#lookLater()
    })
  }

  /**
   * Everybody goes on, since this direction is over: after a change of writer the side that was opened has everything, and
   * where there is no mirror any more there is nothing to wait for.
   */
  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    for (const waiter of this.#waiting) waiter.done()
  }

  #takeTicket(): void {
    if (!this.#member.leading || this.#tickets >= MOST_TICKETS || this.#next.size === 0) return
    const holders = this.#next
    this.#next = new Set()
    this.#tickets++
    void this.#ticket(holders)
  }

  async #ticket(holders: ReadonlySet<Waiter>): Promise<void> {
    await this.#member.applied()
    for (const waiter of holders) waiter.done()
    this.#tickets--
    this.#takeTicket()
  }

  #lookLater(): void {
    const [oldest] = this.#waiting
    if (oldest === undefined || this.#looking || this.#timer !== undefined || this.#closed) return
    const now = performance.now()
    const age = now - oldest.since
    const pause = Math.min(LONGEST_PAUSE_MILLIS, Math.max(SHORTEST_PAUSE_MILLIS, age * SHARE_OF_WAIT))
    const millis = this.#lookedAt + pause - now
    // A ticket is quicker, as long as it is not late.
    const late = this.#member.leading ? LATE_MILLIS - age : 0
    if (Math.max(millis, late) <= 0) return void this.#lookNow()
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#lookLater()
      },
      Math.max(millis, late),
    ).unref()
  }

  async #lookNow(): Promise<void> {
    this.#looking = true
    // Whoever comes in this turn is asked for with the others.
    await Promise.resolve()
    const asking = [...this.#waiting].filter(({ boundary }) => boundary === undefined)
    // A server that does not answer is asked again, until whoever waits has had enough.
    const look = await this.#look().catch(() => undefined)
    if (look) this.#seen(look, asking)
    this.#looking = false
    this.#lookedAt = performance.now()
    this.#lookLater()
  }

  #seen({ boundary, oldest }: RecordLook, asking: readonly Waiter[]): void {
    for (const waiter of asking) waiter.boundary = boundary
    for (const waiter of this.#waiting)
      // What was on record below the boundary is gone, and goes only when the other side has it.
      if (waiter.boundary !== undefined && (oldest === undefined || oldest >= waiter.boundary)) waiter.done()
  }
}
