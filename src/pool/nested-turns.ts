// Knows, while draining, which acquisitions come from inside a lease: holding those would deadlock the drain.
import type { InnerClient } from './pg-internals.js'

// Ticks and microtasks run inside a socket's callback, before any other event of the process. Eight rounds of both
// reach every await chain that data layers were seen to have; setImmediate would take other sockets' calls for nested.
const ROUNDS = 8

/** Listens on the sockets of leased clients: what runs in the turn of a lease's data belongs to that lease. */
export class NestedTurns {
  #turn: InnerClient | undefined
  readonly #marks = new Map<InnerClient, () => void>()
  readonly #heardAt = new Map<InnerClient, number>()

  /** The leased client in whose turn the process is now. */
  get current(): InnerClient | undefined {
    return this.#turn
  }

  /** When a marked client last received anything. */
  heardAt(client: InnerClient): number {
    return this.#heardAt.get(client) ?? 0
  }

  /** Begins to watch a client; its present turn counts if it was handed out in it. */
  mark(client: InnerClient): void {
    const stream = client.connection?.stream
    if (stream === undefined || this.#marks.has(client)) return
    const enter = (): void => this.#enter(client)
    stream.prependListener('data', enter)
    this.#marks.set(client, enter)
    this.#heardAt.set(client, performance.now())
  }

  /** The turn in which a client is handed to its caller is that caller's turn. */
  handedOut(client: InnerClient): void {
    this.mark(client)
    this.#enter(client)
  }

  unmarkAll(): void {
    for (const [client, enter] of this.#marks) client.connection?.stream.removeListener('data', enter)
    this.#marks.clear()
    this.#heardAt.clear()
    this.#turn = undefined
  }

  #enter(client: InnerClient): void {
    this.#turn = client
    this.#heardAt.set(client, performance.now())
    let rounds = ROUNDS
    const step = (): void => {
      if (--rounds > 0) queueMicrotask(() => process.nextTick(step))
      else if (this.#turn === client) this.#turn = undefined
    }
    process.nextTick(step)
  }
}
