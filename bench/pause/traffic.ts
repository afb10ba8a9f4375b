// Callers at a steady pace that nobody's slowness changes: each call is due at its own time, whatever became of the ones before.
import type pg from 'pg'
import type { Side } from '../../src/index.js'
import { seededRandom } from '../../test/support/seeded-random.js'
import { seed } from '../seed.js'

export interface Call {
  readonly kind: 'write' | 'read'
  /** When it ought to have been made. A process that is late with it has its caller wait all the same. */
  readonly due: number
  readonly acked: number
  /** Where it was answered. */
  readonly side: Side
}

export interface Pace {
  /** Calls a second. */
  readonly writes: number
  readonly reads: number
}

const TEXTS = {
  write: 'update item set n = n + 1 where id = $1 returning inet_server_port() as port',
  read: 'select n, inet_server_port() as port from item where id = $1',
} as const satisfies Record<Call['kind'], string>

const TICK_MILLIS = 1
/** Where the machine cannot keep up, the line of those who wait must not take all memory. */
const MOST_UNDER_WAY = 2_000

export class Traffic {
  calls: Call[] = []
  failed = 0
  failure: string | undefined
  /** Left out, since too many were under way. */
  unsent = 0
  readonly #pool: pg.Pool
  readonly #oldPort: number
  readonly #rows: number
  readonly #random = seededRandom(seed())
  readonly #lines: { readonly kind: Call['kind']; readonly everyMillis: number; due: number }[]
  readonly #underWay = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | undefined

  constructor(pool: pg.Pool, of: { readonly oldPort: number; readonly rows: number; readonly pace: Pace }) {
    this.#pool = pool
    this.#oldPort = of.oldPort
    this.#rows = of.rows
    const line = (kind: Call['kind'], aSecond: number) => ({ kind, everyMillis: 1_000 / aSecond, due: 0 })
    this.#lines = [line('write', of.pace.writes), line('read', of.pace.reads)]
  }

  start(): void {
    const now = performance.now()
    for (const line of this.#lines) line.due = now + line.everyMillis
    this.#timer ??= setInterval(() => this.#tick(), TICK_MILLIS)
  }

  /** Resolves when every call has its answer. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    await Promise.all(this.#underWay)
  }

  forget(): void {
    this.calls = []
  }

  #tick(): void {
    const now = performance.now()
    for (const line of this.#lines)
      for (; line.due <= now; line.due += line.everyMillis)
        if (this.#underWay.size < MOST_UNDER_WAY) this.#send(line.kind, line.due)
        else this.unsent++
  }

  #send(kind: Call['kind'], due: number): void {
    const call = this.#call(kind, due).finally(() => this.#underWay.delete(call))
    this.#underWay.add(call)
  }

  async #call(kind: Call['kind'], due: number): Promise<void> {
    const id = 1 + Math.floor(this.#random() * this.#rows)
    try {
      const { rows } = await this.#pool.query<{ port: number }>(TEXTS[kind], [id])
      const acked = performance.now()
      this.calls.push({ kind, due, acked, side: rows[0]?.port === this.#oldPort ? 'old' : 'new' })
    } catch (error) {
      this.failed++
      this.failure ??= error instanceof Error ? error.message : String(error)
    }
  }
}

/** Writes a second of so many callers, each of whom asks again as soon as it was answered. */
export async function capacity(pool: pg.Pool, callers: number, millis: number): Promise<number> {
  let written = 0
  const until = performance.now() + millis
  const caller = async (nr: number): Promise<void> => {
    for (; performance.now() < until; written++) await pool.query(TEXTS.write, [1 + ((nr + written) % 1_000)])
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: callers }, (_, nr) => caller(nr)))
  return (written * 1_000) / (performance.now() - began)
}
