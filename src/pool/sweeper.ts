// Closes the connections of a side that was left: what is idle now, and what comes back later.
import { setTimeout as delay } from 'node:timers/promises'
import type { InnerClient, InnerPool } from './pg-internals.js'

/** Each costs the server the end of a process, and those who were just let go on the other side may share its machine. */
const EVERY_MILLIS = 5
/** A server that does not answer is not waited for longer than this. */
const GOODBYE_MILLIS = 1_000

export class Sweeper {
  readonly #inner: InnerPool
  #sweeping = false

  constructor(inner: InnerPool) {
    this.#inner = inner
  }

  /** Resolves when what is idle is closed. Goes on until {@link keep}. */
  async sweep(): Promise<void> {
    if (!this.#sweeping) {
      this.#sweeping = true
      this.#inner.on('release', this.#later)
    }
    const closing: Promise<void>[] = []
    // Closing takes a client out of the list; between two of them others come back, or one is wanted after all.
    for (let next = this.#inner._idle[0]; next && this.#sweeping; next = this.#inner._idle[0]) {
      closing.push(this.#close(next.client))
      await delay(EVERY_MILLIS)
    }
    await Promise.all(closing)
  }

  /** What comes back stays. */
  keep(): void {
    this.#sweeping = false
    this.#inner.removeListener('release', this.#later)
  }

  // `release` is emitted before the client is among the idle ones.
  readonly #later = (): void => {
    setImmediate(() => {
      if (this.#sweeping) void this.sweep()
    })
  }

  #close(client: InnerClient): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => client.connection?.stream.destroy(), GOODBYE_MILLIS)
      this.#inner._remove(client, () => {
        clearTimeout(timer)
        resolve()
      })
    })
  }
}
