// One leader's way of carrying the record over to the other side: look, read, write, forget; turn by turn.
import type { Migration } from '../control/migration.js'
import { otherSide } from '../phase/phases.js'
import type { Side } from '../phase/phases.js'
import { Carrier } from './carry.js'
import type { Lines, Portion } from './carry.js'
import { anythingSql, forget, lookAtRecord } from './relay-record.js'
import type { Entries, Look } from './relay-record.js'
import { readMirrored } from './tables.js'
import type { MirroredTable } from './tables.js'

/** What a turn has come to. */
export interface Turn {
  /** Records that were carried over and forgotten. */
  readonly rows: number
  /** Whatever was committed before the turn began has a lower transaction id. */
  readonly next: bigint
  /** The lowest transaction id that may still be on record, of those that the turn could see; undefined for none. */
  readonly left: bigint | undefined
  /** The side that is read takes no writes any more, and nothing of it is on record. */
  readonly over: boolean
}

export class Relay {
  readonly #m: Migration
  readonly #from: Side
  readonly #lines: Lines
  readonly #carrier: Carrier
  #tables = new Map<number, MirroredTable>()
  #low = 0n

  constructor(m: Migration, from: Side, lines: Lines, generation: number) {
    this.#m = m
    this.#from = from
    this.#lines = lines
    this.#carrier = new Carrier(m, lines, { name: m.name, side: otherSide(from), generation })
  }

  /** Reads which tables are mirrored, and how. */
  async learn(): Promise<void> {
    const { here, there } = this.#lines
    const runs = this.#from === 'old' ? { old: here.run, new: there.run } : { old: there.run, new: here.run }
    const { tables } = await readMirrored(this.#m, this.#from, runs)
    this.#tables = new Map(tables.map((table) => [table.from.oid, table]))
  }

  /** Whether there is work, asked as cheaply as it can be. */
  async isAnything(): Promise<boolean> {
    const [row] = await this.#lines.here.run<{ any: boolean; status: string | null }>(
      anythingSql(this.#m.name, this.#low),
    )
    return row?.any === true || (row?.status !== 'writer' && row?.status !== 'fenced')
  }

  async turn(): Promise<Turn> {
    const { here } = this.#lines
    const limit = this.#m.dualWrite.batchRows
    try {
      const look = await lookAtRecord(here.run, this.#m.name, { low: this.#low, limit })
      return await this.#carry(look, limit)
    } catch (error) {
      await here.run('rollback').catch(() => {})
      throw error
    }
  }

  async #carry(look: Look, limit: number): Promise<Turn> {
    const { here } = this.#lines
    const portions = look.entries.map((entries) => this.#portionOf(entries))
    const batches = portions.length === 0 ? [] : await this.#carrier.read(portions)
    if (batches.length === 0) await here.run('commit')
    else {
      await this.#carrier.endRead(look.position)
      await this.#carrier.write(batches, 'usual')
    }
    const carried = look.entries.map((entries, index) =>
      carriedOf(entries, portions[index]?.keys ?? [], batches[index]?.taken ?? 0),
    )
    await forget(here.run, this.#m.name, carried)
    const left = lowestLeft(look, carried, limit)
    if (look.emptied.length === 0) this.#low = left === undefined || left > look.horizon ? look.horizon : left
    return {
      rows: carried.reduce((sum, { keys }) => sum + keys.length, 0),
      next: look.next,
      left,
      over: look.rows === 0 && look.status !== 'writer' && look.status !== 'fenced',
    }
  }

  #portionOf({ table: oid, keys }: Entries): Portion {
    const table = this.#tables.get(oid)
    if (!table) throw new Error(`the record names a table that is not mirrored: ${oid}`)
    return { table, keys: [...new Set(keys)] }
  }
}

/** The records of the first so many of the keys. */
function carriedOf(entries: Entries, keys: readonly string[], taken: number): Entries {
  if (taken >= keys.length) return entries
  const done = new Set(keys.slice(0, taken))
  const places: string[] = []
  const xids: string[] = []
  const of: string[] = []
  entries.keys.forEach((key, index) => {
    if (!done.has(key)) return
    places.push(entries.places[index] ?? '')
    xids.push(entries.xids[index] ?? '')
    of.push(key)
  })
  return { table: entries.table, places, xids, keys: of }
}

/** Records come in the order of their transactions, so that all below the last one of a full look were in it. */
function lowestLeft(look: Look, carried: readonly Entries[], limit: number): bigint | undefined {
  let lowest: bigint | undefined
  const mayBe = (xid: string | undefined): void => {
    if (xid === undefined) return
    const value = BigInt(xid)
    if (lowest === undefined || value < lowest) lowest = value
  }
  look.entries.forEach((entries, index) => {
    if (carried[index] === entries) return
    const places = new Set(carried[index]?.places)
    entries.xids.forEach((xid, nr) => {
      if (!places.has(entries.places[nr] ?? '')) mayBe(xid)
    })
  })
  if (look.rows >= limit) {
    let last = 0n
    for (const { xids } of look.entries)
      for (const xid of xids) {
        const value = BigInt(xid)
        if (value > last) last = value
      }
    mayBe(String(last))
  }
  return lowest
}
