// Calls back once when a connection has nothing under way, however often that is asked for.
import type { SessionClient } from './pg-internals.js'

export class NextReady {
  readonly #then: () => void
  #client: SessionClient | undefined

  constructor(then: () => void) {
    this.#then = then
  }

  /** Of the client that was given last, since the one before it was left. */
  watch(client: SessionClient): void {
    if (this.#client === client) return
    this.#client = client
    client.connection.once('readyForQuery', () => {
      if (this.#client !== client) return
      this.#client = undefined
      this.#then()
    })
  }
}
