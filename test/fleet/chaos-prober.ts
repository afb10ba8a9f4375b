// Tries to write on both databases all the time, and keeps which of them took it.
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Side } from '../../src/phase/phases.js'

export class Prober {
  /** Acknowledged, by the number of the row. */
  readonly accepted: Readonly<Record<Side, Set<number>>> = { old: new Set(), new: new Set() }
  readonly #running: readonly Promise<void>[]
  readonly #stop = new AbortController()
  readonly #pauseMillis: number
  #last = 0

  constructor(urls: Readonly<Record<Side, string>>, pauseMillis: number) {
    this.#pauseMillis = pauseMillis
    this.#running = (['old', 'new'] as const).map((side) => this.#probe(side, urls[side]))
  }

  async end(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#running)
  }

  async #probe(side: Side, connectionString: string): Promise<void> {
    while (!this.#stop.signal.aborted) {
      // A server that is dead or full is tried again.
      const client = new pg.Client({ connectionString, application_name: 'prober', query_timeout: 4_000 })
      client.on('error', () => {})
      try {
        await client.connect()
        while (!this.#stop.signal.aborted) {
          await this.#try(client, side)
          await delay(this.#pauseMillis)
        }
      } catch {
        await delay(this.#pauseMillis)
      }
      await client.end().catch(() => {})
    }
  }

  async #try(client: pg.Client, side: Side): Promise<void> {
    const id = ++this.#last
    try {
      await client.query('insert into public.probe (id) values ($1)', [id])
      this.accepted[side].add(id)
    } catch (error) {
      // The fence; or a lock that somebody holds.
      if (!(error instanceof pg.DatabaseError) || error.code !== '25006') throw error
    }
  }
}
