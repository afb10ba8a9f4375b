// What the leader says of itself: on the writer for everybody, and as warnings in its own process.
import { hostname } from 'node:os'
import type { Run } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import { quoteIdent, recordTable } from '../control/names.js'
import { isCutoverError } from '../errors.js'
import { messageOf, sqlstateOf } from './relay-trouble.js'

const CHANGED_MILLIS = 1_000
/** While nothing changes it says that it is there. */
const SILENT_MILLIS = 5_000
const RATE_MILLIS = 5_000

const LEADER = `${hostname()} process ${process.pid}`

export class RelayReport {
  readonly #m: Pick<Migration, 'name' | 'events'>
  readonly #recent: { readonly at: number; readonly rows: number }[] = []
  #applied = 0
  /** What it has said on the writer. */
  #told = 0
  #said: string | undefined
  #written = Number.NEGATIVE_INFINITY
  #kind: string | undefined
  #trouble: string | undefined

  constructor(m: Pick<Migration, 'name' | 'events'>) {
    this.#m = m
  }

  /** Records that were carried over since this process has begun. */
  get applied(): number {
    return this.#applied
  }

  get trouble(): string | undefined {
    return this.#trouble
  }

  /** Over the last seconds. */
  rowsPerSecond(): number {
    const since = performance.now() - RATE_MILLIS
    const rows = this.#recent.reduce((sum, one) => (one.at >= since ? sum + one.rows : sum), 0)
    return rows / (RATE_MILLIS / 1_000)
  }

  carried(rows: number): void {
    if (this.#kind !== undefined) this.#tell('the relay writes to the other side again')
    this.#kind = this.#trouble = undefined
    if (rows === 0) return
    this.#applied += rows
    const now = performance.now()
    // One entry for a tenth of a second will do.
    const last = this.#recent.at(-1)
    if (last && now - last.at < 100)
      this.#recent[this.#recent.length - 1] = { at: last.at, rows: last.rows + rows }
    else this.#recent.push({ at: now, rows })
    while ((this.#recent[0]?.at ?? now) < now - RATE_MILLIS) this.#recent.shift()
  }

  /** A warning for each kind of trouble, not for each try. */
  failed(error: unknown): void {
    // Another process has ended the mirror, and this one is about to hear of it.
    if (sqlstateOf(error) === '42P01' && messageOf(error).includes(recordTable(this.#m.name))) return
    const kind = sqlstateOf(error) ?? (isCutoverError(error) ? error.code : 'network')
    this.#trouble = messageOf(error)
    if (kind === this.#kind) return
    this.#kind = kind
    this.#tell(
      `the relay cannot go on and tries again; what is written stays on record meanwhile: ${this.#trouble} (${kind})`,
    )
  }

  get isDue(): boolean {
    const isSaid = this.#told === this.#applied && this.#said === this.#trouble
    return performance.now() - this.#written > (isSaid ? SILENT_MILLIS : CHANGED_MILLIS)
  }

  /** `run` belongs to the side that writes. */
  async write(run: Run, generation: number): Promise<void> {
    this.#written = performance.now()
    const applied = this.#applied
    const trouble = this.#trouble
    await run(
      `insert into cutover.relay as r (name, leader, generation, applied, updated, trouble)
       select $1, $2, $3::bigint, $4::bigint, clock_timestamp(), $5 where to_regclass($6) is not null
       on conflict (name) do update set leader = excluded.leader, generation = excluded.generation,
         applied = r.applied + excluded.applied, updated = excluded.updated, trouble = excluded.trouble`,
      [
        this.#m.name,
        LEADER,
        generation,
        applied - this.#told,
        trouble ?? null,
        `cutover.${quoteIdent(recordTable(this.#m.name))}`,
      ],
    )
    this.#told = applied
    this.#said = trouble
  }

  #tell(message: string): void {
    const { name, events } = this.#m
    events.publish('warning', { name, code: 'MIRROR_RELAY', message })
  }
}
