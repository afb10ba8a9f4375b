// Connections of the application that belong to no pool of the facade and still move with it.
import type { Side } from '../phase/phases.js'
import type { InnerClient } from './pg-internals.js'

export interface Guest {
  /** The connection that it has now, if any. */
  readonly client: InnerClient | undefined
  /** Where that connection leads. */
  readonly side: Side
  /** Whether a statement or a transaction is under way on it. */
  readonly atWork: boolean
  /** The route of the process has changed: what waits may go on, perhaps on the other side. */
  routeChanged(): void
  /** Gives up the connection to a side that was left, once nothing is under way on it. */
  leave(side: Side): Promise<void>
}

export class Guests {
  readonly #all = new Set<Guest>()

  add(guest: Guest): void {
    this.#all.add(guest)
  }

  remove(guest: Guest): void {
    this.#all.delete(guest)
  }

  /** The connections to a side on which something is under way. */
  atWork(side: Side): InnerClient[] {
    const found: InnerClient[] = []
    for (const guest of this.#all)
      if (guest.side === side && guest.client !== undefined && guest.atWork) found.push(guest.client)
    return found
  }

  routeChanged(): void {
    for (const guest of this.#all) guest.routeChanged()
  }

  async leave(side: Side): Promise<void> {
    const there = [...this.#all].filter((guest) => guest.side === side)
    await Promise.all(there.map((guest) => guest.leave(side)))
  }
}
