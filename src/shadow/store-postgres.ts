// Keeps a process's counts of compared reads in the control schema of the side that takes writes.
import { randomUUID } from 'node:crypto'
import type { ControlConnection } from '../control/control-connection.js'
import type { Side } from '../phase/phases.js'
import type { KeptReport, KeptStatement, RealElsewhere, ShadowStore } from './store.js'
import { readReal } from './store-reading.js'
import { countAnew, withTables } from './store-reset.js'
import { FORGET_STATEMENTS, SAVE, saveValues, TIDY, withinBounds } from './store-sql.js'

// Everything is saved once more after this time, so that a row which was tidied away or lost in a crash comes back, and a
// process without traffic is not taken for one that has gone.
const WHOLE_MILLIS = 3_600_000

export interface PostgresStoreOptions {
  readonly name: string
  readonly control: Readonly<Record<Side, ControlConnection>>
  /** The side that takes writes now. */
  readonly writer: () => Side
}

export class PostgresShadowStore implements ShadowStore {
  readonly #options: PostgresStoreOptions
  readonly #process: string = randomUUID()
  #generation: number | undefined
  #revision = 0
  /** What the side in use has of each statement; undefined where that is not known. */
  #there: Map<string, string> | undefined
  #side: Side | undefined
  #wholeAt = 0

  constructor(options: PostgresStoreOptions) {
    this.#options = options
  }

  async save(report: KeptReport): Promise<'saved' | 'outdated'> {
    const { name, control, writer } = this.#options
    const side = writer()
    const { run } = control[side]
    const statements = withinBounds(report.statements)
    const whole =
      this.#there === undefined || side !== this.#side || performance.now() - this.#wholeAt > WHOLE_MILLIS
    const there: ReadonlyMap<string, string> = (whole ? undefined : this.#there) ?? new Map<string, string>()
    const wanted = statements.filter((one) => there.get(one.fingerprint) !== versionOf(one))
    // Until it is known to have been saved, the next save is a whole one.
    this.#there = undefined
    const parameters = await saveValues(
      name,
      this.#process,
      this.#generation,
      ++this.#revision,
      report,
      wanted,
    )
    const [saved] = await withTables(control[side], () =>
      run<{ known: number; generation: number; inserted: boolean | null }>(SAVE, parameters),
    )
    if (saved === undefined || saved.inserted === null) {
      this.#generation = saved?.known
      return 'outdated'
    }
    this.#generation = saved.generation
    const listed = new Map(statements.map((one) => [one.fingerprint, versionOf(one)]))
    if (whole || [...there.keys()].some((fingerprint) => !listed.has(fingerprint)))
      await run(FORGET_STATEMENTS, [name, this.#process, [...listed.keys()]])
    if (whole) {
      await run(TIDY, [name])
      this.#wholeAt = performance.now()
    }
    // A row that was tidied away has lost its statements as well.
    if (saved.inserted && !whole) return this.save(report)
    this.#side = side
    this.#there = listed
    return 'saved'
  }

  async elsewhere(): Promise<RealElsewhere & { readonly outdated: boolean }> {
    const { name, control } = this.#options
    const found = await readReal(control, name, this.#process)
    const outdated = this.#generation !== undefined && found.generation > this.#generation
    if (outdated) this.#generation = found.generation
    return { ...found, outdated }
  }

  async reset(): Promise<void> {
    const { name, control, writer } = this.#options
    this.#generation = await countAnew(control, name, writer(), this.#generation)
    this.#there = undefined
  }
}

/** Changes with everything that is stored of a statement: its counts and latencies grow together. */
const versionOf = ({ compared, planChange }: KeptStatement): string =>
  planChange === undefined ? String(compared) : `${compared} ${planChange.old} ${planChange.new}`
