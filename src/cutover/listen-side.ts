// Keeps one connection to a side that hears the process's channels, and comes back by itself after an outage.
import type pg from 'pg'
import { ListenConnection } from './listen-connection.js'

const FIRST_PAUSE_MILLIS = 100
const LONGEST_PAUSE_MILLIS = 10_000
/** A way to the server that was cut without a word is found out within this. */
const CHECK_MILLIS = 30_000

export interface ListenSideHooks {
  heard(notification: pg.Notification): void
  /** Every channel is heard; once for each connection. */
  hearing(direct: boolean): void
  /** It was hearing and is not any more; another connection is being made. */
  deaf(): void
  /** No connection could be made. Once for each outage. */
  failed(error: unknown): void
}

export class ListenSide {
  readonly #config: pg.ClientConfig
  readonly #channels: () => readonly string[]
  readonly #hooks: ListenSideHooks
  #connection: ListenConnection | undefined
  #hearing: ListenConnection | undefined
  /** What was asked of this connection, and whether the server has confirmed it. */
  #asked = new Map<string, { confirmed: boolean }>()
  #closed = false
  #endPause: () => void = () => {}
  readonly #stayed: Promise<void>

  constructor(config: pg.ClientConfig, channels: () => readonly string[], hooks: ListenSideHooks) {
    this.#config = config
    this.#channels = channels
    this.#hooks = hooks
    this.#stayed = this.#stay()
  }

  /** The connection that hears now. Another one means that there may have been a gap. */
  get hearing(): object | undefined {
    return this.#hearing
  }

  hears(channel: string): boolean {
    return this.#hearing !== undefined && this.#asked.get(channel)?.confirmed === true
  }

  /** One more of the channels; resolves when it is confirmed, or the connection is lost, whose successor has it too. */
  async add(channel: string): Promise<void> {
    const connection = this.#connection
    if (!connection) return
    const request = { confirmed: false }
    this.#asked.set(channel, request)
    await connection.listen(channel).then(
      () => (request.confirmed = true),
      () => {},
    )
  }

  async remove(channel: string): Promise<void> {
    this.#asked.delete(channel)
    await this.#connection?.unlisten(channel).catch(() => {})
  }

  /** Resolves when what was notified before is heard; rejects where that cannot be known. */
  async flush(): Promise<void> {
    if (!this.#hearing) throw new Error('not heard at present')
    await this.#connection?.flush()
  }

  /** Idempotent. No hook is called after this. */
  async close(): Promise<void> {
    this.#closed = true
    this.#hearing = undefined
    this.#endPause()
    await this.#connection?.close()
    await this.#stayed
  }

  async #stay(): Promise<void> {
    let failures = 0
    let told = false
    while (!this.#closed) {
      const connection = new ListenConnection(this.#config, (heard) => {
        if (!this.#closed) this.#hooks.heard(heard)
      })
      this.#connection = connection
      try {
        const channels = this.#channels()
        this.#asked = new Map(channels.map((channel) => [channel, { confirmed: true }]))
        const direct = await connection.open(channels)
        if (this.#closed) break
        failures = 0
        told = false
        this.#hearing = connection
        this.#hooks.hearing(direct)
        await this.#untilLost(connection)
        if (this.#closed) break
        this.#hearing = undefined
        this.#hooks.deaf()
      } catch (error) {
        if (!this.#closed && !told) this.#hooks.failed(error)
        told = true
      }
      await connection.close()
      if (!this.#closed) await this.#pause(failures++)
    }
  }

  async #untilLost(connection: ListenConnection): Promise<void> {
    const check = setInterval(() => void connection.flush().catch(() => {}), CHECK_MILLIS).unref()
    await connection.lost
    clearInterval(check)
  }

  /** Keeps the process alive, as the connection would. */
  #pause(failures: number): Promise<void> {
    const whole = Math.min(FIRST_PAUSE_MILLIS * 2 ** failures, LONGEST_PAUSE_MILLIS)
    return new Promise((resolve) => {
      // A whole fleet loses its server at the same moment, and should not come back at the same moment.
      const timer = setTimeout(resolve, whole * (0.5 + Math.random() / 2))
      this.#endPause = () => {
        clearTimeout(timer)
        resolve()
      }
    })
  }
}
