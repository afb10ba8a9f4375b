// Knows, while draining, which acquisitions come from inside a lease: holding those would deadlock the drain.
import type { InnerClient } from './pg-internals.js'

// Ticks and microtasks run inside a socket's callback, before any other event of the process. Eight rounds of both
// reach every await chain that data layers were seen to have; setImmediate would take other sockets' calls for nested.
const ROUNDS = 8

interface Watched {
  heardAt: number
  stop(): void
}

/** Listens to the messages of leased clients: what runs in the turn of a lease's answer belongs to that lease. */
export class NestedTurns {
  #turn: InnerClient | 'unknown' | undefined
  /** The client of this turn was handed out in the turn of another lease's data, whose work still goes on in it. */
  #shared = false
  readonly #watched = new Map<InnerClient, Watched>()
  /** Those whose callers wait for something of ours, and so for none of the calls that are held. */
  readonly #awaited = new Map<InnerClient, number>()
  /**
   * The lease that asked for a client, or null where it is known that none did. What runs in the turn of a client's
   * data goes on in that lease's name after the client was given back, as after a `pool.query` in a transaction.
   */
  readonly #outer = new Map<InnerClient, InnerClient | null>()

  /** The lease whose work runs now: one of those that are out, `perhaps` one that is not known, or undefined. */
  current(out: readonly InnerClient[]): InnerClient | 'perhaps' | undefined {
    if (this.#turn === 'unknown') return 'perhaps'
    const seen = new Set<InnerClient>()
    for (let client: InnerClient | null | undefined = this.#turn; client && !seen.has(client);) {
      const shared = this.#shared && client === this.#turn
      if (out.includes(client) && !shared) return client
      seen.add(client)
      client = this.#outer.get(client)
      // It was already out when the hold began, so that nobody saw who had asked for it.
      if (client === undefined) return 'perhaps'
    }
    return undefined
  }

  /** When a marked client last received anything. */
  heardAt(client: InnerClient): number {
    return this.#awaited.has(client) ? performance.now() : (this.#watched.get(client)?.heardAt ?? 0)
  }

  /**
   * The caller who would go on now has to wait first, with this client if he has one. What it gives is to be called when he
   * goes on: what runs then belongs to the same lease.
   */
  wait(client?: InnerClient): () => void {
    const isKnown = client !== undefined || this.#watched.size > 0
    const turn = client ?? (isKnown ? this.#turn : 'unknown')
    const shared = client === undefined && this.#shared
    // The lease within which a call was made waits with it.
    const waiting = new Set<InnerClient>()
    for (
      let one = turn;
      one && one !== 'unknown' && !waiting.has(one);
      one = this.#outer.get(one) ?? undefined
    )
      waiting.add(one)
    this.#count(waiting, 1)
    return () => {
      this.#count(waiting, -1)
      if (turn !== undefined && this.#watched.size > 0) this.#enter(turn, shared)
    }
  }

  #count(waiting: ReadonlySet<InnerClient>, by: 1 | -1): void {
    for (const client of waiting) {
      const count = (this.#awaited.get(client) ?? 0) + by
      if (count > 0) this.#awaited.set(client, count)
      else this.#awaited.delete(client)
    }
  }

  /** Begins to watch a client; its present turn counts if it was handed out in it. */
  mark(client: InnerClient): void {
    // A client that is connecting may still change its socket for an encrypted one; it is marked when handed out.
    if (this.#watched.has(client) || client._connected === false) return
    const { connection } = client
    if (connection === undefined) return
    const enter = (): void => this.#enter(client, false)
    // Not `data` of the socket: pg-copy-streams insists on pg's own listener being the only one there.
    connection.prependListener('message', enter)
    this.#watched.set(client, {
      heardAt: performance.now(),
      stop: () => {
        connection.removeListener('message', enter)
        // pg begins to emit each message with the first listener and never stops by itself.
        connection._emitMessage = connection.listenerCount('message') > 0
      },
    })
  }

  /** The turn in which a client is handed to its caller is that caller's turn. */
  handedOut(client: InnerClient): void {
    this.mark(client)
    this.#outer.delete(client)
    this.#enter(client, this.#turn !== undefined)
  }

  /** Notes which lease asked for a client that has just been handed out. */
  within(client: InnerClient, outer: InnerClient | null): void {
    this.#outer.set(client, outer)
  }

  unmarkAll(): void {
    for (const watched of this.#watched.values()) watched.stop()
    this.#watched.clear()
    this.#outer.clear()
    this.#turn = undefined
  }

  #enter(client: InnerClient | 'unknown', shared: boolean): void {
    // One of many messages in one turn of the socket.
    if (this.#turn === client && this.#shared === shared) return
    this.#turn = client
    this.#shared = shared
    const watched = client === 'unknown' ? undefined : this.#watched.get(client)
    if (watched) watched.heardAt = performance.now()
    let rounds = ROUNDS
    const step = (): void => {
      if (--rounds > 0) queueMicrotask(() => process.nextTick(step))
      else if (this.#turn === client) this.#turn = undefined
    }
    process.nextTick(step)
  }
}
