// Carries the state of recorded keys from the writer to the other side: rows read in one snapshot, written in one transaction.
import type { ControlConnection } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import { PreparedTexts } from './prepared-texts.js'
import { readRows } from './read-rows.js'
import type { RowBatch } from './read-rows.js'
import { sqlstateOf } from './relay-trouble.js'
import { GUARD_SQLSTATE, preparedWrite, writeText } from './write-rows.js'
import type { WriteGuard } from './write-rows.js'
import type { MirroredTable } from './tables.js'

/** Keys of one table, as the record has them, each once. */
export interface Portion {
  readonly table: MirroredTable
  readonly keys: readonly string[]
}

/** The connections of one leader: two sessions on the writer and one on the other side. */
export interface Lines {
  /** Reads rows and forgets records. Commits without waiting for the disk: a record that comes back is only written again. */
  readonly here: ControlConnection
  /** Waits for the disk. */
  readonly lock: ControlConnection
  readonly there: ControlConnection
}

/** Another leader, or the opening of the other side, has shut this one out. */
export class Replaced extends Error {}

/** The position of one who has seen nothing. */
const NO_WAL = '0/0'

const waitForDisk = (position: string): string =>
  `select pg_logical_emit_message(true, 'pg-cutover', '') where pg_current_wal_flush_lsn() < '${position}'`

export class Carrier {
  readonly lines: Lines
  readonly #guard: WriteGuard
  readonly #maxBytes: number
  readonly #texts: PreparedTexts

  constructor(m: Pick<Migration, 'dualWrite'>, lines: Lines, guard: WriteGuard) {
    this.lines = lines
    this.#guard = guard
    this.#maxBytes = m.dualWrite.batchBytes
    this.#texts = new PreparedTexts(lines.there)
  }

  /** In a snapshot of its own, in as many transactions on the other side as the rows' size asks for. */
  async carry(portions: readonly Portion[], how: 'usual' | 'replace'): Promise<void> {
    let rest = portions
    while (rest.length > 0) {
      const batches = await this.inSnapshot(() => this.read(rest))
      await this.write(batches, how)
      rest = rest.flatMap(({ table, keys }, index) => {
        const left = keys.slice(batches[index]?.taken ?? 0)
        return left.length > 0 ? [{ table, keys: left }] : []
      })
    }
  }

  async inSnapshot<T>(work: () => Promise<T>): Promise<T> {
    const { run } = this.lines.here
    const { result } = await this.within(async () => {
      const [row] = await run<{ position: string }>(
        `begin isolation level repeatable read read only; select pg_current_wal_insert_lsn()::text as position`,
      )
      return { result: await work(), position: row?.position ?? '' }
    })
    return result
  }

  /** For work that begins the snapshot itself. */
  async within<T extends { readonly position: string }>(work: () => Promise<T>): Promise<T> {
    try {
      const result = await work()
      await this.#endRead(result.position)
      return result
    } catch (error) {
      await this.lines.here.run('rollback').catch(() => {})
      throw error
    }
  }

  /**
   * Inside the snapshot, one batch for each portion in their order. Once the rows exceed what one transaction may carry,
   * a batch covers fewer keys than asked for, and the portions behind it have none.
   */
  async read(portions: readonly Portion[]): Promise<RowBatch[]> {
    const batches: RowBatch[] = []
    let left = this.#maxBytes
    for (const { table, keys } of portions) {
      if (left <= 0) break
      const batch = await readRows(this.lines.here.run, table, keys, left)
      batches.push(batch)
      if (batch.taken < keys.length) break
      left -= batch.bytes
    }
    return batches
  }

  /**
   * Ends the snapshot before the other side is spoken to. A commit that does not wait for the disk is seen before it is
   * durable: what it wrote must not be on the other side when a crash of the writer has undone it. `position` is the
   * writer's WAL behind everything that the snapshot sees.
   */
  async #endRead(position: string): Promise<void> {
    const { here, lock } = this.lines
    const commit = here.run('commit')
    // At the same time, since the relay itself forgets records without waiting for the disk: as a rule something is behind.
    await Promise.all([commit, position === NO_WAL ? undefined : lock.run(waitForDisk(position))])
  }

  write(batches: readonly RowBatch[], how: 'usual' | 'replace'): Promise<void> {
    return this.guarded((guard) => writeText(guard, batches, how))
  }

  /**
   * The usual write by statements that were planned before. What it is refused for may be that one of them does not fit any
   * more, so that it has to be written in the other way then.
   */
  async writePrepared(batches: readonly RowBatch[]): Promise<void> {
    const { text, statements } = preparedWrite(this.#guard, batches)
    await this.#written(() => this.#texts.run(text, statements))
  }

  /**
   * One round trip. When it rejects nothing was written, or it is not known whether it was. Rejects with `Replaced` where
   * this leader may write no more.
   */
  async guarded(text: (guard: WriteGuard) => string): Promise<void> {
    await this.#written(() => this.lines.there.run(text(this.#guard)))
  }

  async #written(write: () => Promise<unknown>): Promise<void> {
    const { there } = this.lines
    try {
      await write()
    } catch (error) {
      await there.run('rollback').catch(() => {})
      if (sqlstateOf(error) === GUARD_SQLSTATE && !(await this.#mayWrite()))
        throw new Replaced('another leader writes to the other side, or it was opened', { cause: error })
      throw error
    }
  }

  // A division by zero may also come from a check or a generated column of a table.
  async #mayWrite(): Promise<boolean> {
    const { name, generation } = this.#guard
    const [row] = await this.lines.there.run<{ may: boolean }>(
      `select status in ('mirror', 'moved') and relay_generation = $2 as may from cutover.side where name = $1`,
      [name, generation],
    )
    return row?.may === true
  }
}
