// Reads few records and their rows in one round trip, which also forgets what was carried over before.
import type { ControlConnection } from '../control/control-connection.js'
import { forgettingFew, lookOf, lookSql, POSITION_SETTING, recordedSql } from './relay-record.js'
import type { Entries, Look, LookRow } from './relay-record.js'
import { prepared, PreparedTexts } from './prepared-texts.js'
import type { PreparedStatement } from './prepared-texts.js'
import { batchOf, readText } from './read-rows.js'
import type { RowBatch } from './read-rows.js'
import type { MirroredTable } from './tables.js'

/** More are read by texts that are made for many. */
const MOST_ROWS = 256

export interface ShortRead {
  readonly look: Look
  /** There are more records than these, so that it is not known which of them the rows belong to. */
  readonly isFull: boolean
  /** One for each of the tables that were asked for, in their order. */
  readonly batches: readonly RowBatch[]
}

export class ShortReader {
  readonly mostRows: number
  readonly #texts: PreparedTexts
  readonly #name: string
  readonly #maxBytes: number
  readonly #look: PreparedStatement
  readonly #reads = new WeakMap<MirroredTable, PreparedStatement>()

  constructor(here: ControlConnection, name: string, settings: { batchRows: number; batchBytes: number }) {
    this.#texts = new PreparedTexts(here)
    this.#name = name
    this.mostRows = Math.min(MOST_ROWS, settings.batchRows)
    this.#maxBytes = settings.batchBytes
    this.#look = prepared('xid8, int', lookSql(name, '$1', '$2'))
  }

  /**
   * Forgets `carried`, and then reads in one snapshot, which is over and on disk when this resolves. When it rejects, a
   * transaction may be left open, and `carried` may not be forgotten.
   */
  async read(low: bigint, tables: readonly MirroredTable[], carried: readonly Entries[]): Promise<ShortRead> {
    const forgetting = forgettingFew(this.#name, carried)
    const reads = tables.map((table) => this.#readOf(table))
    const limit = this.mostRows + 1
    const given = `('${low}', ${limit}`
    const text = [
      ...(forgetting.texts.length > 0 ? ['begin', ...forgetting.texts, 'commit'] : []),
      'begin isolation level repeatable read read only',
      `execute ${this.#look.name} ${given})`,
      ...reads.map(({ name }) => `execute ${name} ${given}, ${this.#maxBytes})`),
      'commit',
      `execute ${WAIT_FOR_DISK.name}`,
    ]
    const statements = [...forgetting.statements, this.#look, ...reads, WAIT_FOR_DISK]
    const results = await this.#texts.run(text.join(';\n'), statements)
    const first = text.indexOf('begin isolation level repeatable read read only') + 1
    const [looked, ...read] = results.slice(first, first + 1 + tables.length)
    const look = lookOf((looked ?? []) as LookRow[])
    return {
      look,
      isFull: look.rows >= limit,
      batches: tables.map((table, index) => batchOf(table, read[index]?.[0])),
    }
  }

  /** The rows of the keys of one table; which keys they are is known from the look, since nothing was left out of it. */
  #readOf(table: MirroredTable): PreparedStatement {
    const known = this.#reads.get(table)
    if (known) return known
    const keys = `array(select distinct r.key from (${recordedSql(this.#name, '$1', '$2')}) r where r.tbl = ${table.from.oid})`
    const made = prepared('xid8, int, int8', readText(table, keys, '$3'))
    this.#reads.set(table, made)
    return made
  }
}

/** At the end of the snapshot, see `Carrier`: of a session that does not wait by itself. */
const WAIT_FOR_DISK = prepared(
  '',
  `select set_config('synchronous_commit', 'on', true), pg_logical_emit_message(true, 'pg-cutover', '')
    where pg_current_wal_flush_lsn() < current_setting('${POSITION_SETTING}')::pg_lsn`,
)
