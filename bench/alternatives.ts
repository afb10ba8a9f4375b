// The same work through pg alone, pg-cutover and what else a team may use: a query at rest, and a change of database.
import { startPair } from '../test/support/servers.js'
import { change } from './alternatives/change.js'
import { changePart, restParts, verdictPart } from './alternatives/parts.js'
import { findPgBouncer } from './alternatives/present.js'
import { rest, type RestSizes } from './alternatives/rest.js'
import type { Outcome } from './outcome.js'
import { printPart } from './print-part.js'
import type { Part, Report } from './report.js'

interface Sizes {
  readonly rest: RestSizes
  readonly bare: number
  readonly data: number
}

const FULL: Sizes = { rest: { quads: 10, alone: 200, together: 1_200 }, bare: 10, data: 7 }
const QUICK: Sizes = { rest: { quads: 2, alone: 50, together: 300 }, bare: 2, data: 1 }

export interface Alternatives extends Report {
  /** A line for each that is not installed. */
  readonly missing: readonly string[]
}

/** `BENCH_PART` names `rest`, `bare` or `data`, or several with commas, for whoever works on them. */
export async function alternatives(quick: boolean): Promise<Alternatives> {
  const sizes = quick ? QUICK : FULL
  const only = process.env['BENCH_PART']?.split(',')
  const wanted = (name: string): boolean => only?.includes(name) ?? true
  const program = findPgBouncer()
  const note = (line: string): void => console.error(`  ${line}`)
  const parts: Part[] = []
  const missing = new Set<string>()
  const give = (lines: readonly string[], ...given: readonly Part[]): void => {
    for (const line of lines) {
      if (!missing.has(line)) console.log(line)
      missing.add(line)
    }
    parts.push(...given.map((part) => printPart({ ...part, notes: [...lines, ...(part.notes ?? [])] })))
  }
  const pair = await startPair()
  try {
    if (wanted('rest')) {
      const measured = await rest(pair, program, sizes.rest, note)
      give(measured.missing, ...restParts(measured, sizes.rest))
    }
    const verdicts: Outcome[] = []
    const leftOut = new Set<string>()
    for (const kind of ['bare', 'data'] as const) {
      if (!wanted(kind)) continue
      const changed = await change(pair, program, kind === 'data', sizes[kind], note)
      give(changed.missing, changePart(kind, changed, sizes[kind]))
      verdicts.push(...changed.verdicts)
      for (const line of changed.missing) leftOut.add(line)
    }
    if (verdicts.length > 0) give([...leftOut], verdictPart(verdicts))
    return { parts, missing: [...missing] }
  } finally {
    await pair.destroy()
  }
}
