// What a client of `cutover.Client` is to the lane of its statements.
import type { EventEmitter } from 'node:events'

export interface Queryable {
  query(config: unknown, values?: unknown, callback?: unknown): unknown
}

/** What the library has. */
export interface LaneFace extends EventEmitter {
  /** Where its statements go: the connection itself at rest, else the lane. */
  show(target: Queryable): void
}
