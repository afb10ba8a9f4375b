// What the checks of a mirror by dual-write look at beyond the catalogs of each side.
import type { Run } from '../../control/control-connection.js'
import type { Migration } from '../../control/migration.js'
import { captureGaps } from '../../dual-write/capture-state.js'
import type { CaptureFault } from '../../dual-write/capture-state.js'
import { readMirrored } from '../../dual-write/tables.js'
import type { Mirrored, MirroredTable } from '../../dual-write/tables.js'
import { wayOf } from '../../dual-write/way.js'
import type { RelayWay } from '../../dual-write/way.js'
import type { Side } from '../../phase/phases.js'
import { nameOf } from './facts.js'
import type { SideFacts } from './facts.js'

export interface RelayFacts {
  readonly mirrored: Mirrored
  /** How the relay may write to each side. */
  readonly ways: Readonly<Record<Side, RelayWay>>
  /** Tables of the writing side that a backfill was begun for, by their names there. */
  readonly begun: readonly string[]
  /** Those among them whose capture is not whole. */
  readonly gaps: readonly { readonly table: MirroredTable; readonly fault: CaptureFault }[]
}

export async function readRelayFacts(
  m: Migration,
  from: Side,
  runs: Readonly<Record<Side, Run>>,
  { controlSchema }: Pick<SideFacts, 'controlSchema'>,
): Promise<RelayFacts> {
  const mirrored = await readMirrored(m, from, runs)
  const ways = { old: await wayOf(runs.old), new: await wayOf(runs.new) }
  const begun = controlSchema === 'ours' ? await backfills(runs[from], m.name) : []
  const captured = mirrored.tables.filter((table) => begun.includes(nameOf(table.from)))
  const gaps = await captureGaps(runs[from], m, captured)
  // Made by another version is no gap, and becomes current by itself.
  return { mirrored, ways, begun, gaps: gaps.filter(({ fault }) => fault !== 'not current') }
}

async function backfills(run: Run, name: string): Promise<string[]> {
  const [made] = await run<{ made: boolean }>(`select to_regclass('cutover.backfill') is not null as made`)
  // Of a version before there was any.
  if (made?.made !== true) return []
  const tables = await run<{ schema: string; name: string }>(
    `select n.nspname::text as schema, c.relname::text as name
       from cutover.backfill b join pg_class c on c.oid = b.tbl join pg_namespace n on n.oid = c.relnamespace
      where b.name = $1`,
    [name],
  )
  return tables.map(nameOf)
}
