// What the side being left has on record, and what keeps it from the side being opened.
import type { Row } from '../control/control-connection.js'
import { CutoverError } from '../errors.js'
import type { CutoverErrorCode } from '../errors.js'
import { lookOf, lookSql } from '../dual-write/record-look.js'
import type { LookColumns, RecordLook } from '../dual-write/record-look.js'
import type { Attempt } from './attempt.js'

export interface LookInPause extends RecordLook {
  /** Tables whose backfill is not done. */
  readonly unfinished: readonly string[]
  readonly stuck: readonly Stuck[]
  /** What whoever relays says that it is kept by. */
  readonly trouble: string | undefined
}

interface Stuck {
  readonly table: string
  /** Null: no row of the table can be written. */
  readonly key: string | null
  readonly message: string
}

interface Columns extends LookColumns, Row {
  readonly unfinished: readonly string[]
  readonly stuck: readonly Stuck[]
  readonly trouble: string | null
}

const MOST_NAMED = 3

/** On the attempt's own connection; with the look before it is quick also where forgotten rows are not vacuumed yet. */
export async function lookAtRecord(a: Attempt, before?: RecordLook): Promise<LookInPause> {
  const { m, left } = a
  const [row] = await left.run<Columns>(
    `select ${lookSql(m.name, before?.low ?? 0n)},
      array(select table_name from cutover.backfill where name = $1 and finished is null order by 1) as unfinished,
      (select coalesce(jsonb_agg(s), '[]') from (select table_name as table, key, message from cutover.stuck
         where name = $1 and set_aside is null order by since limit ${MOST_NAMED}) s) as stuck,
      (select trouble from cutover.relay where name = $1) as trouble`,
    [m.name],
  )
  const look = row && lookOf(row, before)
  if (!look) return lookAtRecord(a)
  return { ...look, unfinished: row.unfinished, stuck: row.stuck, trouble: row.trouble ?? undefined }
}

/** Throws where something is stuck that nobody has set aside: without it the other side would not have every row. */
export function refuseStuck({ to }: Attempt, { stuck }: LookInPause, code: CutoverErrorCode): void {
  if (stuck.length === 0) return
  const named = stuck.map(({ table, key, message }) =>
    key === null ? `the table ${table} (${message})` : `the row ${key} of ${table} (${message})`,
  )
  throw new CutoverError(
    code,
    `the ${to} database refuses what is on record: ${named.join('; ')}. Mend the reason, or set it aside`,
    { details: { stuck } },
  )
}

/** ` : …` where whoever relays says what keeps it. */
export const because = ({ trouble }: LookInPause): string => (trouble === undefined ? '' : `: ${trouble}`)
