// What all processes of a migration have stored of their compared reads, added up for the command line.
import type { Migration } from '../control/migration.js'
import { readSide, type SideRow } from '../control/side-row.js'
import { isCutoverError } from '../errors.js'
import { PHASES, type Side } from '../phase/phases.js'
import { reportOf } from '../shadow/report-of.js'
import type { ShadowReport } from '../shadow/report.js'
import { ReportSum } from '../shadow/store-merge.js'
import { findProcesses, readReports } from '../shadow/store-reading.js'

export interface FleetReport extends ShadowReport {
  /** How many processes have counted. */
  readonly processes: number
  /** When one of them has last saved something, in ISO form. */
  readonly updated: string | undefined
  /** The side whose row says that it takes writes. */
  readonly writer: Side | undefined
  /** Why a side could not be asked, whose processes are missing then. */
  readonly unknown: readonly string[]
}

/** Throws only what means that nothing may be done at all, such as exchanged URLs. */
export async function fleetReport(m: Migration): Promise<FleetReport> {
  const rows: SideRow[] = []
  for (const control of Object.values(m.control)) {
    try {
      const row = await readSide(control, m.name)
      if (row?.status === 'writer') rows.push(row)
    } catch (error) {
      // What cannot be reached is told below.
      if (isCutoverError(error, 'ERR_PREFLIGHT')) throw error
    }
  }
  const writer = rows.toSorted((a, b) => b.epoch - a.epoch)[0]
  const processes = await findProcesses(m.control, m.name)
  const sum = new ReportSum()
  for await (const report of readReports(m.control, m.name, processes)) sum.add(report)
  const comparing = writer?.phase !== undefined && PHASES[writer.phase].compared
  return {
    ...reportOf(m.name, comparing, sum.kept()),
    processes: sum.processes,
    updated: processes.found
      .map(({ updated }) => updated.toISOString())
      .toSorted()
      .at(-1),
    writer: writer?.side,
    unknown: Object.values(processes.unreachable).map((reason) =>
      reason instanceof Error ? reason.message : String(reason),
    ),
  }
}
