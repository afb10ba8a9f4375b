// What Knex takes for the connection of a read that is answered while the cutover holds: it has none of its own.
import { EventEmitter } from 'node:events'
import type { KnexConnection } from './dialect.js'

interface Queryable {
  query(text: unknown, values?: unknown, callback?: unknown): unknown
}

export class ReadLease extends EventEmitter implements KnexConnection {
  readonly processID = null
  readonly __knexUid: string
  readonly #view: Queryable

  constructor(view: Queryable, name: string) {
    super()
    this.#view = view
    this.__knexUid = name
  }

  /** As the facade's own `query`, which runs it beside the hold, or once and after it where that is over by now. */
  query(text: unknown, values?: unknown, callback?: unknown): unknown {
    return this.#view.query(text, values, callback)
  }

  release(): void {}
}
