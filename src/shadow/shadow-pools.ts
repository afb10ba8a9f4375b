// A small pool of our own to each side, and one statement on it: bounded in time, and never harmful to anybody else.
import type { Side } from '../phase/phases.js'
import type { BothSides } from '../pool/both-sides.js'
import type { InnerClient, InnerPool } from '../pool/pg-internals.js'
import { closeReadOnlyPool, readOnlyPool } from '../pool/read-pool.js'
import type { Statements } from '../reads/statements.js'
import { ask, PINNED_SETTINGS } from './ask.js'
import { replyOf, skipped, type Reply } from './reply.js'

export interface ShadowPoolOptions {
  /** Connections to each side. */
  readonly max: number
  readonly maxBytes: number
  readonly timeoutMillis: number
}

const CATALOG_MILLIS = 30_000
/** Nothing is compared before, whatever a comparison may take. */
const LEARN_CONNECT_MILLIS = 10_000

export class ShadowPools {
  readonly #options: ShadowPoolOptions
  readonly #pools: Readonly<Record<Side, InnerPool>>
  readonly #out = new Set<InnerClient>()
  /** pg-pool forgets whoever waits when it is ended. */
  readonly #waiting = new Set<(why: Error) => void>()
  #closed = false

  constructor(sides: BothSides, options: ShadowPoolOptions) {
    this.#options = options
    this.#pools = { old: this.#pool(sides, 'old'), new: this.#pool(sides, 'new') }
  }

  /** Never rejects. */
  ask(side: Side, text: string, values: readonly unknown[]): Promise<Reply> {
    return this.#ask(side, text, values, false)
  }

  /** Whether a side knows what a text names. Nothing of it is run, nor planned. Never rejects. */
  parse(side: Side, text: string): Promise<Reply> {
    return this.#ask(side, text, [], true)
  }

  async #ask(side: Side, text: string, values: readonly unknown[], parseOnly: boolean): Promise<Reply> {
    const client = await this.#connect(side).catch(() => undefined)
    if (client === undefined) return skipped('unavailable')
    let reusable = false
    try {
      const asked = await ask(client, text, values, { ...this.#options, parseOnly })
      ;({ reusable } = asked)
      return replyOf(asked)
    } finally {
      this.#release(client, reusable)
    }
  }

  /** Reads the catalogs of a side, which may take longer than a statement that is compared. */
  async learn(side: Side, statements: Pick<Statements, 'learn'>): Promise<void> {
    const client = await this.#connect(side, LEARN_CONNECT_MILLIS)
    let reusable = false
    try {
      await client.query(`set statement_timeout = ${CATALOG_MILLIS}`)
      await statements.learn(side, (text, values) => client.query(text, values && [...values]))
      await client.query(`set statement_timeout = ${this.#options.timeoutMillis}`)
      reusable = true
    } finally {
      this.#release(client, reusable)
    }
  }

  /** What is under way is cut off; its server gives it up at its own bound. */
  async close(): Promise<void> {
    this.#closed = true
    for (const refuse of this.#waiting) refuse(new Error('closed'))
    for (const client of this.#out) client.connection?.stream.destroy()
    await Promise.all(Object.values(this.#pools).map((pool) => closeReadOnlyPool(pool)))
  }

  #pool(sides: BothSides, side: Side): InnerPool {
    const { max, timeoutMillis } = this.#options
    return readOnlyPool(sides[side], {
      applicationName: 'pg-cutover shadow',
      max,
      settings: {
        ...PINNED_SETTINGS,
        statement_timeout: String(timeoutMillis),
        lock_timeout: String(timeoutMillis),
      },
    })
  }

  /** A host that does not answer would keep it waiting for minutes. */
  #connect(side: Side, millis = this.#options.timeoutMillis): Promise<InnerClient> {
    if (this.#closed) return Promise.reject(new Error('closed'))
    return new Promise((resolve, reject) => {
      let late = false
      const settle = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(refuse)
      }
      const refuse = (why: Error): void => {
        late = true
        settle()
        reject(why)
      }
      const timer = setTimeout(() => refuse(new Error('no connection in time')), millis)
      this.#waiting.add(refuse)
      this.#pools[side].connect((error, client, release) => {
        if (late) return client && release(this.#closed)
        settle()
        if (client === undefined) return reject(error ?? new Error('no connection'))
        this.#out.add(client)
        resolve(client)
      })
    })
  }

  #release(client: InnerClient, reusable: boolean): void {
    this.#out.delete(client)
    client.release(!reusable || this.#closed)
  }
}
