// Hears of each statement on a side that may have committed a write, in whatever way it was sent.
import { isInTransaction, type InnerClient } from './pg-internals.js'
import type { SidePool } from './side-pool.js'

// By the first letter of what the server names: COMMIT, COPY, CALL; DELETE, DO; INSERT; MERGE; TRUNCATE; UPDATE. A SELECT
// of a function that writes is not seen, and whatever else begins so does no harm.
const WRITES = new Set(['C', 'D', 'I', 'M', 'T', 'U'])

/** One listener a connection, so that a statement costs a look at a letter and nobody has to be asked. */
export class WriteWatch {
  readonly #pool: SidePool
  readonly #wrote: () => void
  readonly #listening = new Map<InnerClient, () => void>()

  constructor(pool: SidePool, wrote: () => void) {
    this.#pool = pool
    this.#wrote = wrote
    for (const client of pool.watching.keys()) this.#listen(client)
    pool.connected.add(this.#listen)
  }

  stop(): void {
    this.#pool.connected.delete(this.#listen)
    for (const stop of this.#listening.values()) stop()
    this.#listening.clear()
  }

  readonly #listen = (client: InnerClient): void => {
    const { connection } = client
    if (connection === undefined) return
    const heard = ({ text }: { readonly text: string }): void => {
      // Not changed yet when the end of the statement is told.
      if (WRITES.has(text.charAt(0)) && (!isInTransaction(client) || text === 'COMMIT')) this.#wrote()
    }
    const ended = (): void => void this.#listening.delete(client)
    connection.on('commandComplete', heard)
    client.once('end', ended)
    this.#listening.set(client, () => {
      connection.removeListener('commandComplete', heard)
      client.removeListener('end', ended)
    })
  }
}
