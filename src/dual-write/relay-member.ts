// One process's part in the relay of a direction: it competes for the lead, and while it leads it carries the record over.
import type { Migration } from '../control/migration.js'
import { otherSide } from '../phase/phases.js'
import type { Side } from '../phase/phases.js'
import { CONNECT_MILLIS, Leadership } from './leadership.js'
import { Pace } from './pace.js'
import { Replaced } from './carry.js'
import type { Lines } from './carry.js'
import { Relay } from './relay.js'
import type { Reach } from './relay.js'
import { RelayReport } from './relay-report.js'
import { backOffMillis, sqlstateOf } from './relay-trouble.js'
import { sessionOf } from './rows-session.js'
import { relayWay } from './way.js'

/** What a member says of itself. */
export interface RelayMemberStatus {
  readonly leading: boolean
  /** Of the lead that it has, or had last. */
  readonly generation: number | undefined
  /** Records that it has carried over since it was made. */
  readonly applied: number
  /** Over the last seconds. */
  readonly rowsPerSecond: number
  /** What keeps it from going on, until that is over. */
  readonly trouble: string | undefined
}

/** Somebody who waits until what was committed before is on the other side. */
interface Ticket {
  /** Transactions below it may be what is waited for; known from the first turn on that began after the ticket. */
  next: bigint | undefined
  readonly resolve: () => void
}

/** How often a member asks for the lead, and one without a side to write to looks again. */
const CANDIDATE_MILLIS = 250
/** Bounds each statement on the other side: one that is stalled is given up, and written again. */
const WRITE_MILLIS = 30_000
const READ_MILLIS = 15_000
/** Whoever fails so often in a row leaves the lead to a process that may have a better way to the databases. */
const MOST_FAILURES = 4
/** What is under way on the other side may end when a member is closed. */
const CLOSE_MILLIS = 1_000

export class RelayMember {
  readonly #m: Migration
  readonly #from: Side
  readonly #pace = new Pace()
  readonly #report: RelayReport
  #running: Promise<void> | undefined
  #closed = false
  #leading = false
  #generation: number | undefined
  #failures = 0
  #tickets: Ticket[] = []
  #close: (() => Promise<unknown>) | undefined

  constructor(m: Migration, from: Side) {
    this.#m = m
    this.#from = from
    this.#report = new RelayReport(m)
  }

  get leading(): boolean {
    return this.#leading
  }

  status(): RelayMemberStatus {
    return {
      leading: this.#leading,
      generation: this.#generation,
      applied: this.#report.applied,
      rowsPerSecond: this.#report.rowsPerSecond(),
      trouble: this.#report.trouble,
    }
  }

  start(): void {
    this.#running ??= this.#compete()
  }

  /** Something was written: the leader looks at once. */
  wake(): void {
    if (this.#leading) this.#pace.wake()
  }

  /**
   * Resolves when everything that was committed on the writer before the call is on the other side. Only a member that
   * leads resolves it, now or later: whoever waits bounds it, and asks the record itself otherwise.
   */
  applied(): Promise<void> {
    return new Promise((resolve) => {
      this.#tickets.push({ next: undefined, resolve })
      this.wake()
    })
  }

  /** Ends within seconds, whatever the databases do. What it leaves is on record, and another member takes it up. */
  async close(): Promise<void> {
    this.#closed = true
    this.#pace.end()
    const impatience = setTimeout(() => void this.#close?.(), CLOSE_MILLIS).unref()
    await this.#running
    clearTimeout(impatience)
  }

  async #compete(): Promise<void> {
    while (!this.#closed) {
      try {
        await this.#candidate()
      } catch (error) {
        this.#failed(error)
      }
      await this.#pace.pause(this.#failures > 0 ? backOffMillis(this.#failures) : CANDIDATE_MILLIS)
    }
  }

  /** Returns when the lead is lost or there is nothing to lead. */
  async #candidate(): Promise<void> {
    const leadership = new Leadership(this.#m, this.#from, sessionOf('read'))
    const open: { close(): Promise<void> }[] = [{ close: () => leadership.end() }]
    this.#close = () => Promise.all(open.map((one) => one.close()))
    try {
      while ((await leadership.tryLock()) !== 'led') {
        this.#failures = 0
        await this.#pace.pause(CANDIDATE_MILLIS * (0.75 + Math.random() / 2))
        if (this.#closed) return
      }
      const to = otherSide(this.#from)
      const here = this.#m.control[this.#from].fork({
        statementTimeoutMillis: READ_MILLIS,
        connectTimeoutMillis: CONNECT_MILLIS,
        session: `${sessionOf('read')}; set synchronous_commit = off`,
      })
      open.push(here)
      try {
        const way = await relayWay(this.#m.control[to].run, this.#m, to)
        if (this.#closed) return
        const there = this.#m.control[to].fork({
          statementTimeoutMillis: WRITE_MILLIS,
          connectTimeoutMillis: CONNECT_MILLIS,
          session: sessionOf(way),
        })
        open.push(there)
        const generation = await leadership.takeGeneration(there)
        if (generation === undefined) return
        this.#generation = Number(generation)
        await this.#lead(leadership, { here, lock: leadership.lock, there }, this.#generation)
      } catch (error) {
        this.#failed(error)
        // The other side may be down for long: everybody else can read what it is.
        if (!this.#closed) await this.#report.write(here.run, this.#generation ?? 0).catch(() => {})
      }
    } finally {
      this.#leading = false
      await this.#close()
    }
  }

  async #lead(leadership: Leadership, lines: Lines, generation: number): Promise<void> {
    const relay = new Relay(this.#m, this.#from, lines, generation)
    let known = false
    let more = true
    while (!this.#closed && leadership.held) {
      const woken = this.#pace.takeWake()
      let waiting: readonly Ticket[] = this.#tickets
      this.#tickets = []
      try {
        if (!known) await relay.learn()
        known = this.#leading = true
        if (more || woken || waiting.length > 0 || (await relay.isAnything())) {
          const turn = await relay.turn((reach) => {
            waiting = unserved(waiting, reach)
          })
          this.#report.carried(turn.rows)
          waiting = unserved(waiting, turn)
          if (turn.over) return
          more = turn.more || turn.rows > 0
        }
        this.#failures = 0
        if (this.#report.isDue) await this.#report.write(lines.here.run, generation)
      } catch (error) {
        if (error instanceof Replaced) return
        this.#failed(error)
        known = false
        await this.#report.write(lines.here.run, generation).catch(() => {})
        // What was sent and not answered may still arrive, after rows that are read later: nothing but another generation
        // shuts it out.
        if (sqlstateOf(error) === undefined || this.#failures >= MOST_FAILURES) return
        await this.#pace.pause(backOffMillis(this.#failures))
        continue
      } finally {
        this.#tickets.unshift(...waiting)
      }
      if (more) this.#pace.busy()
      if (!more) await this.#pace.idle()
      else if (relay.pauseMillis > 0) {
        await relay.settle()
        await this.#pace.pause(relay.pauseMillis)
      }
    }
    await relay.settle()
  }

  #failed(error: unknown): void {
    if (this.#closed) return
    this.#failures++
    this.#report.failed(error)
  }
}

/** Those of whom something may be missing still. */
function unserved(waiting: readonly Ticket[], { next, left }: Reach): Ticket[] {
  return waiting.filter((ticket) => {
    ticket.next ??= next
    const isServed = left === undefined || left >= ticket.next
    if (isServed) ticket.resolve()
    return !isServed
  })
}
