// Remembers the server's backends that a pool has had, for a while after their connections.

interface Backend {
  /** When its connection ended, if it did. */
  readonly endedAt?: number
  /** The connection was given up with a statement under way. */
  readonly abandoned?: boolean
}

// The server may go on with a statement whose client was destroyed by `query_timeout`. Later its number may be anybody's.
const FORGET_AFTER_MILLIS = 600_000

export class OwnBackends {
  readonly #known = new Map<number, Backend>()
  readonly #apart = new Set<number>()

  /** Clients of pg-native do not tell their process id. */
  began(processId: number | null | undefined): void {
    this.#note(processId, {})
  }

  ended(processId: number | null | undefined, abandoned: boolean): void {
    this.#note(processId, { endedAt: performance.now(), abandoned })
  }

  all(): number[] {
    return [...this.#known.keys()].filter((processId) => !this.#apart.has(processId))
  }

  /** Leaves one out while it only reads, so that nobody waits for it or sends it away. */
  setApart(processId: number | null | undefined, apart: boolean): void {
    if (typeof processId !== 'number') return
    if (apart) this.#apart.add(processId)
    else this.#apart.delete(processId)
  }

  /** Those that may still run a statement, or even have it to read yet, although its caller has given up. */
  abandoned(): number[] {
    return [...this.#known].filter(([, { abandoned }]) => abandoned).map(([processId]) => processId)
  }

  #note(processId: number | null | undefined, backend: Backend): void {
    if (typeof processId !== 'number') return
    this.#apart.delete(processId)
    const now = performance.now()
    for (const [known, { endedAt = now }] of this.#known)
      if (now - endedAt > FORGET_AFTER_MILLIS) this.#known.delete(known)
    this.#known.set(processId, backend)
  }
}
