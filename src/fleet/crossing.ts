// How a member gets to the side that has the right to write: it is listed there first, and then serves by that side's row.
import type { SideRow } from '../control/side-row.js'
import { CutoverError } from '../errors.js'
import type { Side } from '../phase/phases.js'
import type { Confirmation } from './confirmation.js'
import type { Hearing } from './hearing.js'
import type { MemberHome } from './member-home.js'
import type { MemberState } from './words.js'

/** Ending connections costs both servers and this process about as much as the first calls after the flip, which wait. */
const LEAVE_AFTER_MILLIS = 100

export interface CrossingOptions {
  readonly home: MemberHome
  readonly hearings: Readonly<Record<Side, Hearing>>
  readonly confirmation: Confirmation
  readonly state: () => MemberState
  /** New work waits because a coordinator has asked for it, who sees to the rest. */
  readonly holds: () => boolean
  /** This process serves by another row from this turn on; whoever holds it has no more say. */
  readonly flipped: () => void
}

export class Crossing {
  readonly #options: CrossingOptions
  /** Of the row by which this process serves. */
  epoch = -1
  /** The migration has begun: from here on nothing is served unconfirmed. */
  begun = false
  #going: Promise<void> | undefined
  #leaving: NodeJS.Timeout | undefined
  #closed = false

  constructor(options: CrossingOptions) {
    this.#options = options
  }

  /** Leaves the side in use for the one that writes, which is known or found out. */
  go(known?: SideRow): void {
    if (this.#closed) return
    this.#going ??= this.#leave(known)
      // Tried again at the next look, and at the end of the hold.
      .catch(() => {})
      .finally(() => {
        this.#going = undefined
      })
  }

  /** Finds out who writes, and serves by that. */
  async settle(useUp?: number): Promise<Side> {
    const { home } = this.#options
    const row = await home.settle(home.core.side, useUp)
    if (!row) return home.core.side
    if (!home.moving) await this.serve(row)
    return row.side
  }

  /** Serves by the writer's row, once this process is listed and confirmed there; rejects where it is not. */
  async serve(row: SideRow): Promise<void> {
    if (!(await this.arrive(row.side)))
      throw new CutoverError('ERR_IN_DOUBT', `the ${row.side} database has not confirmed this process`)
    this.flip(row)
  }

  /** Is listed on a side, and confirmed if that side writes. Rejects where that cannot be found out. */
  async arrive(side: Side): Promise<boolean> {
    const { hearings, confirmation, state } = this.#options
    this.begun = true
    confirmation.begin(-Infinity)
    const { row, listed, sentAt } = await hearings[side].hear(state())
    if (row?.status === 'writer' && listed) confirmation.begin(sentAt)
    // An answer that took too long confirms nothing.
    return confirmation.valid
  }

  /** Serves by a row in this very turn. */
  flip(row: SideRow): void {
    const { home, flipped } = this.#options
    if (this.#closed) return
    const left = home.core.side
    this.epoch = row.epoch
    flipped()
    home.rest(row)
    if (left !== row.side) this.leave(left)
  }

  /** Has what this process still has on the side that it has left go, once the first calls were answered on the other one. */
  leave(left: Side): void {
    const { home, hearings } = this.#options
    clearTimeout(this.#leaving)
    this.#leaving = setTimeout(() => {
      if (home.core.side === left) return
      void home.core.sweep(left)
      void hearings[left].leave()
    }, LEAVE_AFTER_MILLIS).unref()
  }

  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#leaving)
    await this.#going
  }

  async #leave(known: SideRow | undefined): Promise<void> {
    const { home, holds } = this.#options
    const { core, m } = home
    const { holdTimeoutMillis, drainTimeoutMillis } = m.timings
    if (core.state.kind !== 'held')
      core.hold({ millis: holdTimeoutMillis, reads: 'wait', ended: () => this.settle() })
    await core.stopReads()
    // What is still at work then ends on a side that takes no write.
    if (!holds()) await core.drain(drainTimeoutMillis).catch(() => {})
    if (!known) await this.settle()
    else if (await this.arrive(known.side)) this.flip(known)
  }
}
