// How far the mirror is behind by a look at the other side itself, and how much is on record: beside the traffic, not part of it.
import { setTimeout as delay } from 'node:timers/promises'
import { Client } from 'pg'
import type { Sample } from './latency.js'
import type { Entry, Ledger, Side } from './ledger.js'
import { RECORD } from './mirrors.js'
import type { MirrorName } from './mirrors.js'

const TURN_MILLIS = 100
const LOOK_MILLIS = 1
const UNDEFINED_TABLE = '42P01'

export class MirrorWatch {
  /** From the acknowledgement of a write to the look that saw it on the other side. */
  readonly lags: Sample[] = []
  /** The most rows that were on record at once. */
  longestRecord = 0
  readonly #ledger: Ledger
  readonly #mirror: MirrorName
  readonly #clients: Readonly<Record<Side, Client>>
  #stopped = false
  #probing = false
  #running: Promise<unknown> = Promise.resolve()
  #trouble: unknown

  constructor(urls: Readonly<Record<Side, string>>, ledger: Ledger, mirror: MirrorName) {
    this.#ledger = ledger
    this.#mirror = mirror
    const client = (connectionString: string): Client => {
      const made = new Client({ connectionString, application_name: 'pg-cutover demo watch' })
      made.on('error', () => undefined)
      return made
    }
    this.#clients = { old: client(urls.old), new: client(urls.new) }
  }

  async start(): Promise<void> {
    await Promise.all([this.#clients.old.connect(), this.#clients.new.connect()])
    this.#running = Promise.all([this.#keepAt(() => this.#probe()), this.#keepAt(() => this.#measure())])
  }

  /** From here on every acknowledged write has to arrive. */
  probe(): void {
    this.#probing = true
  }

  /** Rejects with what has kept it from looking. */
  async stop(): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    await this.#running
    await Promise.all([this.#clients.old.end(), this.#clients.new.end()])
    if (this.#trouble !== undefined) throw this.#trouble
  }

  async #keepAt(step: () => Promise<void>): Promise<void> {
    while (!this.#stopped) {
      try {
        await step()
      } catch (error) {
        this.#trouble ??= error
        return
      }
      await delay(TURN_MILLIS)
    }
  }

  async #probe(): Promise<void> {
    const entry = this.#probing
      ? // What another process has written down comes late, and would count as lag.
        this.#ledger.entries.findLast(({ kind, process }) => kind === 'record an event' && process === 0)
      : undefined
    if (entry === undefined || entry.acked === this.lags.at(-1)?.sent) return
    const seen = await this.#seen(entry)
    if (seen !== undefined) this.lags.push({ sent: entry.acked, acked: seen })
  }

  async #seen({ number, side }: Entry): Promise<number | undefined> {
    const other = this.#clients[side === 'old' ? 'new' : 'old']
    while (!this.#stopped) {
      const { rowCount } = await other.query({
        name: 'demo-watch',
        text: 'select from shop.events where write = $1',
        values: [number],
      })
      if (rowCount === 1) return performance.now()
      await delay(LOOK_MILLIS)
    }
    return undefined
  }

  async #measure(): Promise<void> {
    if (this.#mirror !== 'dual-write') return
    for (const side of ['old', 'new'] as const)
      this.longestRecord = Math.max(this.longestRecord, await onRecord(this.#clients[side]))
  }
}

/** Changes that the other side does not have yet; 0 before anything is recorded. */
export async function onRecord(client: Client): Promise<number> {
  try {
    const { rows } = await client.query<{ rows: number }>(`select count(*)::int as rows from ${RECORD}`)
    return rows[0]?.rows ?? 0
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === UNDEFINED_TABLE) return 0
    throw error
  }
}

/** What the library has counted itself, over both directions. */
export async function relayed(clients: readonly Client[]): Promise<number> {
  let sum = 0
  for (const client of clients) {
    const { rows } = await client.query<{ applied: number }>(
      'select coalesce(sum(applied), 0)::int as applied from cutover.relay',
    )
    sum += rows[0]?.applied ?? 0
  }
  return sum
}
