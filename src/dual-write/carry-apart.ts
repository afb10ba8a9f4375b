// What becomes of a batch that the other side has refused: rows in each other's way are written at once, the rest is tried in parts.
import type { Run } from '../control/control-connection.js'
import type { Carrier, Portion } from './carry.js'
import { recordOf, textArray } from './relay-record.js'
import { troubleOf } from './relay-trouble.js'
import type { MirroredTable, TableAt } from './tables.js'

/** What cannot be written, and why. */
export interface Refusal {
  /** On the side that is read. */
  readonly table: Pick<TableAt, 'oid' | 'schema' | 'name'>
  /** Undefined where it is all of the table. */
  readonly key: string | undefined
  readonly error: unknown
}

/** A table that refuses so many rows of one batch is taken for one that refuses all: finding each of them would take too long. */
const MOST_REFUSED = 200

/**
 * Carries over what was refused as a whole, but for what is given back. Rejects where it cannot be known whose fault it is:
 * then nothing is known of the rest either, and it is tried again.
 */
export async function carryApart(
  carrier: Carrier,
  portions: readonly Portion[],
  error: unknown,
): Promise<Refusal[]> {
  const refusals: Refusal[] = []
  await splitUp(carrier, portions, error, refusals)
  return refusals
}

async function splitUp(
  carrier: Carrier,
  portions: readonly Portion[],
  error: unknown,
  refusals: Refusal[],
): Promise<void> {
  const [first] = portions
  if (!first) return
  const trouble = troubleOf(error)
  if (trouble === 'wait') throw error
  const isTable = trouble === 'table'
  if (portions.length === 1 && (isTable || first.keys.length === 1)) {
    refusals.push({ table: first.table.from, key: isTable ? undefined : first.keys[0], error })
    return
  }
  for (const part of halves(portions)) {
    const open = part.filter(({ table }) => !isGivenUp(table, refusals))
    try {
      // What one half holds back of the other's unique values was deleted before. It cannot be deleted again: what is
      // carried over here is on record until all of it is forgotten.
      await carrier.carry(open, 'replace')
    } catch (cause) {
      await splitUp(carrier, open, cause, refusals)
    }
  }
  const { table } = first
  if (!isGivenUp(table, refusals) && refusedOf(table, refusals) >= MOST_REFUSED)
    refusals.push({ table: table.from, key: undefined, error })
}

const refusedOf = (table: MirroredTable, refusals: readonly Refusal[]): number =>
  refusals.filter((refusal) => refusal.table === table.from).length

const isGivenUp = (table: MirroredTable, refusals: readonly Refusal[]): boolean =>
  refusals.some((refusal) => refusal.table === table.from && refusal.key === undefined)

function halves(portions: readonly Portion[]): (readonly Portion[])[] {
  const [first] = portions
  if (portions.length > 1 || !first) {
    const middle = Math.ceil(portions.length / 2)
    return [portions.slice(0, middle), portions.slice(middle)]
  }
  const middle = Math.ceil(first.keys.length / 2)
  return [first.keys.slice(0, middle), first.keys.slice(middle)].map((keys) => [{ table: first.table, keys }])
}

/** So many keys are deleted by one transaction; they come without their rows. */
const PAGE_KEYS = 20_000

/**
 * Deletes on the other side whatever is on record of these tables: each such row is written again, as long as its record
 * stands. Rows of the other side that are not on record are as the writer has them, so none of these is in the way of a
 * row of the writer afterwards.
 */
export async function deleteRecorded(
  carrier: Carrier,
  name: string,
  tables: readonly MirroredTable[],
): Promise<void> {
  for (const table of tables) {
    let last: string | undefined
    do {
      const after: string | undefined = last
      const keys = await carrier.inSnapshot(() =>
        keysOnRecord(carrier.lines.here.run, name, table.from.oid, after),
      )
      last = keys.length < PAGE_KEYS ? undefined : keys.at(-1)
      const gone = textArray(new Set(keys))
      if (keys.length > 0)
        await carrier.write([{ table, taken: keys.length, gone, rows: 0, columns: [], bytes: 0 }], 'usual')
    } while (last !== undefined)
  }
}

async function keysOnRecord(
  run: Run,
  name: string,
  oid: number,
  after: string | undefined,
): Promise<string[]> {
  const found = await run<{ key: string }>(
    `select key from ${recordOf(name)} where tbl = $1 and not whole and ($2::text is null or key > $2)
      order by key limit ${PAGE_KEYS}`,
    [oid, after ?? null],
  )
  return found.map(({ key }) => key)
}
