// Carries the state of recorded keys from the writer to the other side: rows read in one snapshot, written in one transaction.
import type { ControlConnection } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import { readRows } from './read-rows.js'
import type { RowBatch } from './read-rows.js'
import { writeText } from './write-rows.js'
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

export class Carrier {
  readonly lines: Lines
  readonly guard: WriteGuard
  readonly #maxBytes: number

  constructor(m: Pick<Migration, 'dualWrite'>, lines: Lines, guard: WriteGuard) {
    this.lines = lines
    this.guard = guard
    this.#maxBytes = m.dualWrite.batchBytes
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
   * durable: what it wrote must not be on the other side when a crash of the writer has undone it.
   */
  async endRead(position: string): Promise<void> {
    const [flushed] = await this.lines.here.run<{ durable: boolean }>(
      `commit; select pg_current_wal_flush_lsn() >= '${position}' as durable`,
    )
    if (flushed?.durable !== true)
      await this.lines.lock.run(`select pg_logical_emit_message(true, 'pg-cutover', '')`)
  }

  /** One round trip. On any error the transaction has ended and nothing was written, or it is not known whether it was. */
  async write(batches: readonly RowBatch[], how: 'usual' | 'replace'): Promise<void> {
    await this.writeText(writeText(this.guard, batches, how))
  }

  async writeText(text: string): Promise<void> {
    const { there } = this.lines
    try {
      await there.run(text)
    } catch (error) {
      await there.run('rollback').catch(() => {})
      throw error
    }
  }
}
