// Carries over a batch that the other side, or the reading of it, has refused: in another way, or in parts.
import type { Migration } from '../control/migration.js'
import { carryApart, deleteRecorded } from './carry-apart.js'
import type { Refusal } from './carry-apart.js'
import type { Carrier, Portion } from './carry.js'
import { forget, lookAtRecord } from './relay-record.js'
import type { RelayTables } from './relay-tables.js'
import { troubleOf } from './relay-trouble.js'

type Tables = Pick<RelayTables, 'byOid' | 'find'>

/** Gives what cannot be written. Rejects where another try later may succeed; then nothing is known of what was carried. */
export async function carryRefused(
  carrier: Carrier,
  m: Pick<Migration, 'name' | 'dualWrite'>,
  tables: Tables,
  tried: readonly Portion[],
  error: unknown,
): Promise<readonly Refusal[]> {
  // As the tables are now.
  const portions = tried.flatMap(({ table, keys }): Portion[] =>
    keys.length === 0 ? [] : [{ table: tables.byOid.get(table.from.oid) ?? table, keys }],
  )
  const ways = troubleOf(error) === 'unique' ? [together, cleared] : [again]
  let last = error
  for (const way of ways) {
    if (troubleOf(last) === 'wait') throw last
    try {
      if (await way(carrier, m, portions, tables)) return []
    } catch (cause) {
      last = cause
    }
  }
  return await carryApart(carrier, portions, last)
}

type Way = (
  carrier: Carrier,
  m: Pick<Migration, 'name' | 'dualWrite'>,
  portions: readonly Portion[],
  tables: Tables,
) => Promise<boolean>

const again: Way = async (carrier, _, portions) => {
  await carrier.carry(portions, 'usual')
  return true
}

/**
 * Everything of these tables that is on record, in one transaction. A row of the other side that holds what a row of the
 * writer wants is on record, or else the writer would have two of it. False where it is too much for one, or a table is not as it was any more: what is forgotten here
 * has been read by the columns of before.
 */
const together: Way = async (carrier, { name, dualWrite }, portions, tables) => {
  const { run } = carrier.lines.here
  const limit = dualWrite.batchRows
  const oids = portions.map(({ table }) => table.from.oid)
  const { look, batches, isAll } = await carrier.within(async () => {
    const found = await lookAtRecord(run, name, {
      low: 0n,
      limit,
      leaveOut: `r.tbl not in (${oids.join(', ')})`,
    })
    const whole = found.entries.flatMap(({ table: oid, keys }): Portion[] => {
      const table = portions.find((portion) => portion.table.from.oid === oid)?.table
      return table ? [{ table, keys: [...new Set(keys)] }] : []
    })
    const read = await carrier.read(whole)
    const isRead = whole.every(({ keys }, index) => keys.length === read[index]?.taken)
    const isAll = isRead && found.rows < limit && found.entries.every((entries) => tables.find(entries))
    return { look: found, position: found.position, batches: read, isAll }
  })
  if (!isAll || look.emptied.length > 0) return false
  await carrier.write(batches, 'replace')
  await forget(run, name, look.entries)
  return true
}

/** All of it is taken out of the way first, in as many transactions as it takes. */
const cleared: Way = async (carrier, { name }, portions) => {
  await deleteRecorded(
    carrier,
    name,
    portions.map(({ table }) => table),
  )
  await carrier.carry(portions, 'replace')
  return true
}
