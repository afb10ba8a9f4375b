// Looks, at any moment and exactly, whether each row that the sides do not agree on is on record.
import pg from 'pg'
import { recordTable } from '../../src/control/names.js'
import { otherSide } from '../../src/phase/phases.js'
import type { Side } from '../../src/phase/phases.js'
import { TABLES } from './dual-write-tables.js'
import type { MirroredSpec } from './dual-write-tables.js'

type Rows = Map<string, string>

export interface Audit {
  /** Rows that differ and are not on record; undefined where no side was mirrored to at that moment. */
  readonly violations: readonly string[]
  /** Rows that differ and are on record. */
  readonly pending: number
  readonly onRecord: number
  readonly unfinished: number
}

/** Its own connections, opened again when they were lost. */
export class Auditor {
  readonly #name: string
  readonly #urls: Readonly<Record<Side, string>>
  readonly #clients = new Map<Side, Promise<pg.Client>>()

  constructor(name: string, urls: Readonly<Record<Side, string>>) {
    this.#name = name
    this.#urls = urls
  }

  async query<R extends pg.QueryResultRow>(side: Side, text: string, values?: unknown[]): Promise<R[]> {
    const client = await this.#client(side)
    return (await client.query<R>(text, values)).rows
  }

  /**
   * While the row of the mirrored side is held nothing is written there. So whatever a snapshot of the writer that is taken
   * meanwhile shows, and the mirrored side does not have, must be on record in that snapshot.
   */
  async look(): Promise<Audit | undefined> {
    const to = await this.#mirrored()
    if (!to) return undefined
    const from = otherSide(to)
    try {
      await this.query(to, `begin; set local lock_timeout = '4s'`)
      const held = await this.query(
        to,
        `select from cutover.side where name = $1 and status in ('mirror', 'moved') for update`,
        [this.#name],
      )
      // The locks come first: a snapshot sees a table empty that was truncated behind its back.
      await this.query(
        from,
        `begin isolation level repeatable read read only; set local lock_timeout = '4s';
         lock table ${TABLES.map((table) => table[from]).join(', ')} in access share mode`,
      )
      const writes = await this.query(
        from,
        `select from cutover.side where name = $1 and status in ('writer', 'fenced')`,
        [this.#name],
      )
      if (held.length === 0 || writes.length === 0) return undefined
      return await this.#compare(from)
    } finally {
      for (const side of ['old', 'new'] as const) await this.query(side, 'rollback').catch(() => [])
    }
  }

  async #mirrored(): Promise<Side | undefined> {
    for (const side of ['old', 'new'] as const) {
      const rows = await this.query(
        side,
        `select from cutover.side where name = $1 and status in ('mirror', 'moved')`,
        [this.#name],
      )
      if (rows.length > 0) return side
    }
    return undefined
  }

  async #compare(from: Side): Promise<Audit> {
    const to = otherSide(from)
    const [record] = await this.query<{ keys: string[]; emptied: string[]; unfinished: string[] }>(
      from,
      `select array(select distinct tbl || ' ' || key from cutover.${recordTable(this.#name)} where not whole) as keys,
        array(select distinct tbl::text from cutover.${recordTable(this.#name)} where whole) as emptied,
        array(select tbl::text from cutover.backfill where name = $1 and finished is null) as unfinished`,
      [this.#name],
    )
    const keys = new Set(record?.keys)
    const violations: string[] = []
    let pending = 0
    for (const table of TABLES) {
      const [here, there] = [await this.#rows(from, table), await this.#rows(to, table)]
      const oid = await this.#oid(from, table)
      for (const [key, what] of differences(here, there)) {
        // A backfill that is under way brings what is missing; it never mends what is there.
        const isOnRecord =
          keys.has(`${oid} ${key}`) ||
          record?.emptied.includes(oid) ||
          (record?.unfinished.includes(oid) && !there.has(key))
        if (isOnRecord) pending++
        else violations.push(`${table[from]} ${key}: ${what} (from ${from})`)
      }
    }
    return { violations, pending, onRecord: keys.size, unfinished: record?.unfinished.length ?? 0 }
  }

  async #rows(side: Side, table: MirroredSpec): Promise<Rows> {
    const key = table.key.map((column) => `x.${column}::text`)
    const rows = await this.query<{ key: string; row: string }>(
      side,
      `select ${key.length === 1 ? key.join() : `array[${key.join(', ')}]::text`} as key,
        row(${table.columns.map((column) => `x.${column}`).join(', ')})::text as row
         from ${table.old.endsWith('event') ? '' : 'only '}${table[side]} x`,
    )
    return new Map(rows.map((row) => [row.key, row.row]))
  }

  async #oid(side: Side, table: MirroredSpec): Promise<string> {
    const [row] = await this.query<{ oid: string }>(side, `select $1::regclass::oid::text as oid`, [
      table[side],
    ])
    return row?.oid ?? ''
  }

  #client(side: Side): Promise<pg.Client> {
    const known = this.#clients.get(side) ?? this.#connect(side)
    this.#clients.set(side, known)
    return known
  }

  async #connect(side: Side): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: this.#urls[side], application_name: 'auditor' })
    client.on('error', () => this.#clients.delete(side))
    try {
      await client.connect()
    } catch (error) {
      this.#clients.delete(side)
      throw error
    }
    return client
  }

  async end(): Promise<void> {
    for (const client of this.#clients.values()) await client.then((one) => one.end()).catch(() => {})
  }
}

function differences(here: Rows, there: Rows): Map<string, string> {
  const found = new Map<string, string>()
  for (const [key, row] of here)
    if (there.get(key) !== row) found.set(key, `${row} against ${there.get(key) ?? 'nothing'}`)
  for (const [key, row] of there) if (!here.has(key)) found.set(key, `nothing against ${row}`)
  return found
}
