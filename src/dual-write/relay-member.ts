// One process's part in the relay of a direction: it competes for the lead, and while it leads it carries the record over.
import type { Migration } from '../control/migration.js'
import { otherSide } from '../phase/phases.js'
import type { Side } from '../phase/phases.js'
import { Leadership } from './leadership.js'
import { Pace } from './pace.js'
import { Relay } from './relay.js'
import { backOffMillis, messageOf } from './relay-trouble.js'
import { sessionOf } from './rows-session.js'
import { relayWay } from './way.js'

/** What a member says of itself. */
export interface RelayMemberStatus {
  readonly leading: boolean
  /** Of the lead that it has, or had last. */
  readonly generation: number | undefined
  /** Records that it has carried over since it was made. */
  readonly applied: number
  /** What it is kept up by, until that is over. */
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
/** What is under way on the other side may end when a member is closed. */
const CLOSE_MILLIS = 1_000

export class RelayMember {
  readonly #m: Migration
  readonly #from: Side
  readonly #pace = new Pace()
  #running: Promise<void> | undefined
  #closed = false
  #leading = false
  #generation: number | undefined
  #applied = 0
  #failures = 0
  #trouble: string | undefined
  #tickets: Ticket[] = []
  #close: (() => Promise<unknown>) | undefined

  constructor(m: Migration, from: Side) {
    this.#m = m
    this.#from = from
  }

  get leading(): boolean {
    return this.#leading
  }

  status(): RelayMemberStatus {
    return {
      leading: this.#leading,
      generation: this.#generation,
      applied: this.#applied,
      trouble: this.#trouble,
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
      if (!this.#closed)
        await this.#pace.pause(this.#failures > 0 ? backOffMillis(this.#failures) : CANDIDATE_MILLIS)
    }
  }

  /** Returns when the lead is lost or there is nothing to lead. */
  async #candidate(): Promise<void> {
    const leadership = new Leadership(this.#m, this.#from, sessionOf('read'))
    const to = otherSide(this.#from)
    const here = this.#m.control[this.#from].fork({
      statementTimeoutMillis: READ_MILLIS,
      session: `${sessionOf('read')}; set synchronous_commit = off`,
    })
    this.#close = () => Promise.all([leadership.end(), here.close()])
    try {
      for (;;) {
        const candidacy = await leadership.tryLock()
        if (candidacy === 'led') break
        this.#failures = 0
        this.#trouble = undefined
        await this.#pace.pause(CANDIDATE_MILLIS * (0.75 + Math.random() / 2))
        if (this.#closed) return
      }
      const way = await relayWay(this.#m.control[to].run, this.#m, to)
      const there = this.#m.control[to].fork({
        statementTimeoutMillis: WRITE_MILLIS,
        session: sessionOf(way),
      })
      this.#close = () => Promise.all([leadership.end(), here.close(), there.close()])
      const generation = await leadership.takeGeneration(there)
      if (generation === undefined) return
      this.#generation = Number(generation)
      const relay = new Relay(this.#m, this.#from, { here, lock: leadership.lock, there }, this.#generation)
      await relay.learn()
      this.#leading = true
      await this.#lead(relay, leadership)
    } finally {
      this.#leading = false
      await this.#close()
    }
  }

  async #lead(relay: Relay, leadership: Leadership): Promise<void> {
    let seen = true
    while (!this.#closed && leadership.held) {
      const woken = this.#pace.takeWake()
      const waiting = this.#tickets
      this.#tickets = []
      try {
        if (seen || woken || waiting.length > 0 || (await relay.isAnything())) {
          const turn = await relay.turn()
          this.#failures = 0
          this.#trouble = undefined
          this.#applied += turn.rows
          seen = turn.rows > 0
          for (const ticket of waiting) {
            ticket.next ??= turn.next
            if (turn.left === undefined || turn.left >= ticket.next) ticket.resolve()
            else this.#tickets.push(ticket)
          }
          if (turn.over) return
        } else seen = false
      } catch (error) {
        this.#tickets.push(...waiting)
        this.#failed(error)
        if (isOver(error)) return
        await this.#pace.pause(backOffMillis(this.#failures))
        seen = true
        continue
      }
      if (seen) this.#pace.busy()
      else await this.#pace.idle()
    }
  }

  #failed(error: unknown): void {
    this.#failures++
    this.#trouble = messageOf(error)
  }
}

const isOver = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === '22012'
