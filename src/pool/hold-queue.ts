// The facade's own queue of acquisitions, so that nothing that is held is ever stuck inside pg-pool.
import type { AsyncResource } from 'node:async_hooks'
import { isBusy, type AcquireCallback, type InnerClient } from './pg-internals.js'

/** One call that waits for a client. It becomes one callback, called once. */
export interface Acquisition {
  readonly callback: AcquireCallback
  /**
   * Whether a lease may be waiting for this call without our knowing. True of every `pool.query`, which gives its client
   * back by itself; of a `connect`, which may need more clients before it does, only if it is old or of unknown descent.
   */
  readonly perhapsNested: boolean
  /** Whether whoever asked for it is known to be what a drain waits for, so that it must not wait itself. */
  readonly nested: boolean
  /** It wants to know the side and takes no client, hence no slot either. */
  readonly clientless: boolean
  /** The client that it goes out on, behind whatever that has under way. */
  readonly own: InnerClient | undefined
  /** Runs the callback in the caller's async context. */
  readonly resource: AsyncResource
  readonly queuedAt: number
  /** On the pool's clock; Infinity without `connectionTimeoutMillis`. */
  readonly due: number
  /** The lease that asked for it, null if there is none; undefined if that is not known. */
  within: InnerClient | null | undefined
  /** The text that it wants the client for, where it may be a read that goes on while all else is held. */
  read: string | undefined
  /** Where it waits. Undefined once it was started, expired or rejected, which makes these exclusive. */
  queue: HoldQueue | undefined
  previous: Acquisition | undefined
  next: Acquisition | undefined
}

/** A first-in-first-out list with constant-time removal from anywhere. */
export class HoldQueue {
  head: Acquisition | undefined
  tail: Acquisition | undefined
  length = 0

  append(entry: Acquisition): void {
    entry.queue = this
    entry.previous = this.tail
    entry.next = undefined
    if (this.tail) this.tail.next = entry
    else this.head = entry
    this.tail = entry
    this.length++
  }

  /** For a re-run: it was here before everything that waits now. */
  prepend(entry: Acquisition): void {
    entry.queue = this
    entry.previous = undefined
    entry.next = this.head
    if (this.head) this.head.previous = entry
    else this.tail = entry
    this.head = entry
    this.length++
  }

  /** Takes everything in from another one, each entry to its place by the time of its call. */
  takeIn(others: HoldQueue): void {
    let next = this.head
    for (let entry = others.head; entry; entry = others.head) {
      others.remove(entry)
      while (next && next.queuedAt <= entry.queuedAt) next = next.next
      this.#insert(entry, next)
    }
  }

  #insert(entry: Acquisition, next: Acquisition | undefined): void {
    if (!next) return this.append(entry)
    if (!next.previous) return this.prepend(entry)
    entry.queue = this
    entry.previous = next.previous
    entry.next = next
    next.previous.next = entry
    next.previous = entry
    this.length++
  }

  remove(entry: Acquisition): void {
    if (entry.queue !== this) return
    entry.queue = undefined
    if (entry.previous) entry.previous.next = entry.next
    else this.head = entry.next
    if (entry.next) entry.next.previous = entry.previous
    else this.tail = entry.previous
    entry.previous = undefined
    entry.next = undefined
    this.length--
  }

  /** A copy, oldest first. */
  entries(): Acquisition[] {
    const all: Acquisition[] = []
    for (let entry = this.head; entry; entry = entry.next) all.push(entry)
    return all
  }

  /** The oldest entry that a lease may be waiting for, or undefined. */
  oldestPerhapsNested(): Acquisition | undefined {
    let entry = this.head
    while (entry && !mayBeWaitedFor(entry)) entry = entry.next
    return entry
  }
}

/** What goes out behind the work of its own client is not what that work waits for. */
const mayBeWaitedFor = ({ perhapsNested, own }: Acquisition): boolean =>
  perhapsNested && !(own && isBusy(own))
