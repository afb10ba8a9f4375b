// The clients that are out while callers wait for the other side: their `query` is ours until they come back.
import type { BothSides } from './both-sides.js'
import { AwaitingStatements, type Afterwards } from './awaiting-route.js'
import type { InnerClient } from './pg-internals.js'

export class AwaitedLeases {
  readonly #restore = new Map<InnerClient, () => void>()
  readonly #stop: readonly (() => void)[]

  constructor(pools: BothSides) {
    this.#stop = Object.values(pools).map((pool) =>
      pool.listen('release', (_error: unknown, client: InnerClient) => this.#back(client)),
    )
  }

  take(client: InnerClient, afterwards: Afterwards): void {
    this.#back(client)
    const before = Object.getOwnPropertyDescriptor(client, 'query')
    const plain = client.query as (...args: readonly unknown[]) => unknown
    const query = (...args: readonly unknown[]): unknown => Reflect.apply(plain, client, args)
    const statements = new AwaitingStatements(() => client, afterwards).over({ query })
    let over = false
    const awaiting = (config: unknown, values: unknown, callback: unknown): unknown =>
      over ? query(config, values, callback) : statements.query(config, values, callback)
    Reflect.set(client, 'query', awaiting)
    this.#restore.set(client, () => {
      over = true
      // Whoever has put something in front of ours takes it away himself, or keeps a plain call behind it.
      if (client.query !== (awaiting as unknown)) return
      if (before) Object.defineProperty(client, 'query', before)
      else Reflect.deleteProperty(client, 'query')
    })
  }

  /** Leaves every client as it was. */
  close(): void {
    for (const stop of this.#stop) stop()
    for (const restore of this.#restore.values()) restore()
    this.#restore.clear()
  }

  #back(client: InnerClient): void {
    this.#restore.get(client)?.()
    this.#restore.delete(client)
  }
}
