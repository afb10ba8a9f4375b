// Carries over that a whole table was emptied: everything of it goes on the other side, then its rows of now are brought over anew.
import type { Run } from '../control/control-connection.js'
import type { Migration } from '../control/migration.js'
import { restartBackfillSql } from './backfill.js'
import type { Carrier } from './carry.js'
import { forgetEmptiedSql } from './relay-record.js'
import type { Marker } from './relay-record.js'
import { quoteTable } from './tables.js'
import type { MirroredTable } from './tables.js'
import { clearText } from './write-rows.js'

/**
 * The marker goes in the transaction that begins the backfill, and only after the other side is empty. Until then nothing
 * else of the table is carried over. So whatever was there before the table was emptied is gone, and whatever is there now
 * or comes later is on record or before the backfill.
 */
export async function carryEmptied(
  carrier: Carrier,
  m: Pick<Migration, 'name'>,
  table: MirroredTable,
  marker: Marker,
): Promise<void> {
  await clear(carrier, table)
  await restart(carrier.lines.here.run, m, marker)
}

/** Nobody else writes to it meanwhile. */
async function clear(carrier: Carrier, table: MirroredTable): Promise<void> {
  const { to } = table
  for (;;) {
    await carrier.guarded((guard) => clearText(guard, table))
    const [row] = await carrier.lines.there.run<{ left: boolean }>(
      `select exists (select from ${to.only ? 'only ' : ''}${quoteTable(to)}) as left`,
    )
    if (row?.left !== true) return
  }
}

async function restart(run: Run, m: Pick<Migration, 'name'>, marker: Marker): Promise<void> {
  try {
    await run(`begin; ${forgetEmptiedSql(m.name, marker)}; ${restartBackfillSql(m, marker.table)}; commit`)
  } catch (error) {
    await run('rollback').catch(() => {})
    throw error
  }
}
