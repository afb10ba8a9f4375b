// The facade's own queue of acquisitions, so that nothing that is held is ever stuck inside pg-pool.
import type { AsyncResource } from 'node:async_hooks'
import type { AcquireCallback } from './pg-internals.js'

/** One call that waits for a client. It becomes one callback, called once. */
export interface Acquisition {
  readonly callback: AcquireCallback
  /** `pool.query` gives its client back by itself; a `connect` may need more clients before it does. */
  readonly kind: 'query' | 'connect'
  /** Runs the callback in the caller's async context. */
  readonly resource: AsyncResource
  readonly queuedAt: number
  /** On the pool's clock; Infinity without `connectionTimeoutMillis`. */
  readonly due: number
  /** Taken out: started, expired or rejected. Makes these exclusive. */
  out: boolean
  previous: Acquisition | undefined
  next: Acquisition | undefined
}

/** A first-in-first-out list with constant-time removal from anywhere. */
export class HoldQueue {
  head: Acquisition | undefined
  tail: Acquisition | undefined
  length = 0

  append(entry: Acquisition): void {
    entry.out = false
    entry.previous = this.tail
    entry.next = undefined
    if (this.tail) this.tail.next = entry
    else this.head = entry
    this.tail = entry
    this.length++
  }

  /** For a re-run: it was here before everything that waits now. */
  prepend(entry: Acquisition): void {
    entry.out = false
    entry.previous = undefined
    entry.next = this.head
    if (this.head) this.head.previous = entry
    else this.tail = entry
    this.head = entry
    this.length++
  }

  /** True if the entry was still in; only then may the caller use it up. */
  take(entry: Acquisition): boolean {
    if (entry.out) return false
    entry.out = true
    if (entry.previous) entry.previous.next = entry.next
    else this.head = entry.next
    if (entry.next) entry.next.previous = entry.previous
    else this.tail = entry.previous
    entry.previous = undefined
    entry.next = undefined
    this.length--
    return true
  }

  /** A copy, oldest first. */
  entries(): Acquisition[] {
    const all: Acquisition[] = []
    for (let entry = this.head; entry; entry = entry.next) all.push(entry)
    return all
  }

  /** The oldest entry of a kind, or undefined. */
  oldest(kind: Acquisition['kind']): Acquisition | undefined {
    let entry = this.head
    while (entry && entry.kind !== kind) entry = entry.next
    return entry
  }
}
