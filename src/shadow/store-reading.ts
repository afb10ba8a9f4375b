// Reads what the processes of a fleet have stored of their compared reads, out of both sides' control schemas.
import type { ControlConnection } from '../control/control-connection.js'
import type { Side } from '../phase/phases.js'
import type { Mismatch, ShadowTotals } from './report.js'
import type { KeptReport, KeptStatement, RealElsewhere, RealStatement } from './store.js'
import { GENERATION, PROCESSES, REAL_STATEMENTS, REPORTS } from './store-sql.js'

type Control = Readonly<Record<Side, ControlConnection>>

/** What of one process is stored, and on which side. */
interface Found {
  readonly side: Side
  readonly process: string
  readonly generation: number
  readonly revision: number
  readonly real: number
  readonly since: Date
  readonly updated: Date
  readonly counts: string
}

/** The processes of the present generation, each where it has saved last. */
export interface FoundProcesses {
  readonly generation: number
  readonly found: readonly Found[]
  /** Why a side could not be asked. */
  readonly unreachable: Readonly<Partial<Record<Side, unknown>>>
}

const SIDES = ['old', 'new'] as const satisfies readonly Side[]
// A process has stored up to a megabyte, and a reader has a few seconds for each answer.
const PROCESSES_AT_ONCE = 8

/** Never rejects. */
export async function findProcesses(control: Control, name: string): Promise<FoundProcesses> {
  let generation = 0
  const newest = new Map<string, Found>()
  const unreachable: Partial<Record<Side, unknown>> = {}
  await Promise.all(
    SIDES.map(async (side) => {
      try {
        generation = Math.max(generation, await generationOf(control[side], name))
        for (const row of await whereMade(control[side].run<Row>(PROCESSES, [name]))) {
          const known = newest.get(row.process)
          // Counts only grow within a process, and those of before a change of writer are on the other side.
          if (known === undefined || row.revision > known.revision) newest.set(row.process, { ...row, side })
        }
      } catch (error) {
        unreachable[side] = error
      }
    }),
  )
  const found = [...newest.values()].filter((one) => one.generation === generation)
  return { generation, found, unreachable }
}

/** The whole of what was found, a few processes at a time. */
export async function* readReports(
  control: Control,
  name: string,
  { found }: FoundProcesses,
): AsyncGenerator<KeptReport> {
  for (const side of SIDES) {
    const here = found.filter((one) => one.side === side)
    for (let at = 0; at < here.length; at += PROCESSES_AT_ONCE) {
      const some = new Map(here.slice(at, at + PROCESSES_AT_ONCE).map((one) => [one.process, one]))
      const rows = await control[side].run<{ process: string; mismatches: string; statements: string[] }>(
        REPORTS,
        [name, [...some.keys()]],
      )
      for (const { process, mismatches, statements } of rows) {
        const one = some.get(process)
        if (one === undefined) continue
        yield {
          since: one.since.toISOString(),
          ...(JSON.parse(one.counts) as ShadowTotals),
          mismatches: JSON.parse(mismatches) as Mismatch[],
          statements: statements.map((text) => JSON.parse(text) as KeptStatement),
        }
      }
    }
  }
}

/** What has differed for real in every process but this one. Rejects where a side does not answer. */
export async function readReal(
  control: Control,
  name: string,
  except: string,
): Promise<RealElsewhere & { readonly generation: number }> {
  const { generation, found, unreachable } = await findProcesses(control, name)
  for (const reason of Object.values(unreachable)) throw reason
  const others = found.filter(({ process, real }) => process !== except && real > 0)
  const statements = new Map<string, RealStatement>()
  for (const side of SIDES) {
    const here = others.filter((one) => one.side === side).map(({ process }) => process)
    if (here.length === 0) continue
    for (const { report } of await control[side].run<{ report: string }>(REAL_STATEMENTS, [name, here])) {
      const { fingerprint, text, outcomes } = JSON.parse(report) as KeptStatement
      const before = statements.get(fingerprint)
      statements.set(fingerprint, {
        fingerprint,
        text: before?.text ?? text,
        real: (before?.real ?? 0) + outcomes.real,
      })
    }
  }
  return {
    generation,
    real: others.reduce((sum, { real }) => sum + real, 0),
    statements: [...statements.values()],
  }
}

/** As far as the sides answer. */
export async function newestGeneration(control: Control, name: string): Promise<number> {
  const asked = await Promise.allSettled(SIDES.map((side) => generationOf(control[side], name)))
  return Math.max(0, ...asked.map((one) => (one.status === 'fulfilled' ? one.value : 0)))
}

type Row = Omit<Found, 'side'> & Record<string, unknown>

async function generationOf(control: ControlConnection, name: string): Promise<number> {
  const rows = await whereMade(control.run<{ generation: number }>(GENERATION, [name]))
  return rows[0]?.generation ?? 0
}

/** Nothing is stored where the tables, or the whole schema, were not made yet. */
async function whereMade<R>(rows: Promise<R[]>): Promise<R[]> {
  try {
    return await rows
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code === '42P01' || code === '3F000') return []
    throw error
  }
}
