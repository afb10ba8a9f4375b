// The leader's view of what is stuck: what it leaves out, what it tells, and how it tries again.
import type { Migration } from '../control/migration.js'
import type { Refusal } from './carry-apart.js'
import type { Carrier } from './carry.js'
import { lookAtRecord } from './relay-record.js'
import type { Entries } from './relay-record.js'
import { troubleOf } from './relay-trouble.js'
import { describeStuck, forgetStuck, isStuckSql, noteStuck, readStuck } from './stuck.js'
import type { StuckRow } from './stuck.js'
import type { MirroredTable } from './tables.js'
import { carryEmptied } from './truncate.js'

type Tables = ReadonlyMap<number, MirroredTable>

const RETRY_MILLIS = 3_000
/** What somebody has decided is noticed no later. */
const LOOK_MILLIS = 250
/** While nothing is stuck: a leader that stood still may have named something after it had lost the lead. */
const SELDOM_MILLIS = 5_000
/** Of a table that is stuck as a whole so many rows are tried. */
const SAMPLE_ROWS = 100
/** Of rows that cannot be written together so many are tried one by one each time. */
const SINGLE_ROWS = 20
const UNIQUE_TRIES = 3

export class RelayStuck {
  readonly #m: Migration
  readonly #carrier: Carrier
  #rows: StuckRow[] = []
  #due = 0
  /** Something waits no more since `retry` has last said so. */
  #freed = false
  #retryAt = 0
  #suspects: ReadonlyMap<string, number> = new Map()
  #turn = 0

  constructor(m: Migration, carrier: Carrier) {
    this.#m = m
    this.#carrier = carrier
  }

  /** What nobody has set aside. */
  get waiting(): readonly StuckRow[] {
    return this.#rows.filter(({ setAside }) => !setAside)
  }

  /** SQL for the records that are not even looked at. */
  get leaveOut(): string | undefined {
    return this.waiting.length > 0 ? isStuckSql(this.#m.name) : undefined
  }

  async load(): Promise<void> {
    const before = this.waiting
    this.#rows = await readStuck(this.#carrier.lines.here.run, this.#m.name)
    const { waiting } = this
    this.#freed ||= before.some(({ oid, key }) => !waiting.some((row) => row.oid === oid && row.key === key))
    this.#due = performance.now() + (this.#rows.length > 0 ? LOOK_MILLIS : SELDOM_MILLIS)
  }

  /** Whatever is refused stays on record; what this takes for stuck is tried more seldom. */
  async note(all: readonly Refusal[]): Promise<void> {
    const refusals = this.#settled(all)
    if (refusals.length === 0) return
    const known = this.#rows
    if (this.waiting.length === 0) this.#retryAt = performance.now() + RETRY_MILLIS
    await noteStuck(this.#carrier.lines.here.run, this.#m.name, refusals)
    await this.load()
    const fresh = refusals.filter(
      ({ table, key }) => !known.some((row) => row.oid === table.oid && row.key === key && !row.setAside),
    )
    if (fresh.length > 0)
      this.#tell(`the other side refuses ${describeStuck(fresh)}. It stays on record and is tried again`)
  }

  /**
   * A row that has another one in its way may have met a change of that very moment: the other is on record again then, and
   * the next turn has both. It is believed to be stuck when that has happened several times in a row.
   */
  #settled(refusals: readonly Refusal[]): readonly Refusal[] {
    const suspects = new Map<string, number>()
    const settled = refusals.filter(({ table: { oid }, key, error }) => {
      if (troubleOf(error) !== 'unique') return true
      const times = (this.#suspects.get(`${oid} ${key}`) ?? 0) + 1
      if (times >= UNIQUE_TRIES) return true
      suspects.set(`${oid} ${key}`, times)
      return false
    })
    this.#suspects = suspects
    return settled
  }

  /** Rows that were set aside and have been carried over by a later change are as good as any. */
  async carried(entries: readonly Entries[]): Promise<void> {
    const passed = this.#rows.filter(
      ({ setAside, oid, key }) =>
        setAside &&
        entries.some(({ table, keys }) => table === oid && key !== undefined && keys.includes(key)),
    )
    if (passed.length === 0) return
    await forgetStuck(this.#carrier.lines.here.run, this.#m.name, passed)
    await this.load()
  }

  get isDue(): boolean {
    return this.#freed || performance.now() >= this.#due
  }

  /** True when something waits no more, by what was tried or by somebody's decision: it is to be looked for from the beginning. */
  async retry(readTables: () => Promise<Tables>): Promise<boolean> {
    const before = this.waiting.length
    await this.load()
    if (this.waiting.length > 0 && performance.now() >= this.#retryAt) await this.#tryAll(await readTables())
    if (this.waiting.length === 0 && before > 0)
      this.#tell('nothing is stuck any more on the way to the other side')
    const freed = this.#freed
    this.#freed = false
    return freed
  }

  async #tryAll(tables: Tables): Promise<void> {
    const freed: StuckRow[] = []
    for (const oid of new Set(this.waiting.map((row) => row.oid))) {
      const table = tables.get(oid)
      const rows = this.waiting.filter((row) => row.oid === oid)
      if (table) freed.push(...(await this.#tryTable(table, rows)))
    }
    this.#retryAt = performance.now() + RETRY_MILLIS
    if (freed.length === 0) return
    await forgetStuck(this.#carrier.lines.here.run, this.#m.name, freed)
    await this.load()
  }

  async #tryTable(table: MirroredTable, rows: readonly StuckRow[]): Promise<readonly StuckRow[]> {
    const whole = rows.find(({ key }) => key === undefined)
    if (whole) return (await this.#isMended(table, whole)) ? [whole] : []
    const keyed = rows.map((row) => ({ row, key: row.key ?? '' }))
    if (await this.#tryKeys(table, keyed)) return rows
    if (rows.length === 1) return []
    const freed: StuckRow[] = []
    for (let nr = 0; nr < Math.min(SINGLE_ROWS, keyed.length); nr++) {
      const one = keyed[this.#turn++ % keyed.length]
      if (one && (await this.#tryKeys(table, [one]))) freed.push(one.row)
    }
    return freed
  }

  async #tryKeys(table: MirroredTable, keyed: readonly { readonly key: string }[]): Promise<boolean> {
    const error = await this.#attempt(() =>
      this.#carrier.carry([{ table, keys: keyed.map(({ key }) => key) }], 'replace'),
    )
    return error === undefined
  }

  async #isMended(table: MirroredTable, whole: StuckRow): Promise<boolean> {
    const { here } = this.#carrier.lines
    const look = await this.#carrier.within(() =>
      lookAtRecord(here.run, this.#m.name, {
        low: 0n,
        limit: SAMPLE_ROWS,
        leaveOut: `r.tbl <> ${table.from.oid}`,
      }),
    )
    const [marker] = look.emptied
    const keys = [...new Set(look.entries.flatMap((entries) => entries.keys))]
    const error = await this.#attempt(() =>
      marker
        ? carryEmptied(this.#carrier, this.#m, table, marker)
        : this.#carrier.carry([{ table, keys }], 'replace'),
    )
    // Where the table as such was refused, an error of single rows says that it is no more.
    const isOfTable = /^(0A|42|3F|3D)/.test(whole.sqlstate)
    return error === undefined || (isOfTable && troubleOf(error) !== 'table')
  }

  async #attempt(work: () => Promise<void>): Promise<unknown> {
    try {
      await work()
      return undefined
    } catch (error) {
      if (troubleOf(error) === 'wait') throw error
      return error
    }
  }

  #tell(message: string): void {
    const { name, events } = this.#m
    events.publish('warning', { name, code: 'MIRROR_STUCK', message })
  }
}
