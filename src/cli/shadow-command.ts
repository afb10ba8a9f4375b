// `pg-cutover shadow`: what the processes have found by comparing reads, and counting anew.
import { writeFile } from 'node:fs/promises'
import type { Migration } from '../control/migration.js'
import { CutoverError } from '../errors.js'
import { countAnew } from '../shadow/store-reset.js'
import { EXIT, type Outcome } from './outcome.js'
import type { Output } from './screen.js'
import { fleetReport, type FleetReport } from './shadow-reports.js'
import { reportPage } from './shadow-page.js'
import { count, reportText, WHERE_ELSE } from './shadow-text.js'

export interface ShadowFlags {
  readonly json?: true
  readonly html?: string
  readonly top?: number
  readonly reset?: true
  readonly yes?: true
  readonly dryRun?: true
}

const TOP = 10

export async function shadowCommand(m: Migration, flags: ShadowFlags, output: Output): Promise<Outcome> {
  refuseTogether(flags)
  const report = await fleetReport(m)
  if (flags.reset) return reset(m, report, flags, output)
  if (flags.html !== undefined) await writePage(flags.html, reportPage(report, flags.top ?? Infinity))
  const { paint } = output
  const { unknown } = report
  return {
    exit: report.outcomes.real > 0 || unknown.length > 0 ? EXIT.refused : EXIT.done,
    lines: [
      ...(flags.html === undefined
        ? reportText(report, flags.top ?? TOP, paint)
        : [`written to ${flags.html}`]),
      ...unknown.map((reason) => paint.bad(`Not known: ${reason}`)),
    ],
    json: {
      ...report,
      statements: report.statements.slice(0, flags.top),
      mismatches: report.mismatches.slice(0, flags.top),
      updated: report.updated ?? null,
      writer: report.writer ?? null,
    },
  }
}

async function reset(
  m: Migration,
  report: FleetReport,
  flags: ShadowFlags,
  output: Output,
): Promise<Outcome> {
  const { name, compared, processes, outcomes, writer, unknown } = report
  const what = `what ${count(processes, 'process')} found in ${count(compared, 'read')}, of which ${outcomes.real} differed for real`
  const json = { name, processes, compared, real: outcomes.real, unknown }
  if (flags.dryRun)
    return {
      exit: unknown.length > 0 ? EXIT.refused : EXIT.done,
      lines: [`It would forget ${what}.`, ...unknown.map((reason) => `Not known: ${reason}`)],
      json: { ...json, dryRun: true },
    }
  if (writer === undefined) {
    if (unknown.length > 0)
      throw new CutoverError('ERR_UNREACHABLE', `no side that answers takes writes: ${unknown.join('; ')}`)
    return { exit: EXIT.done, lines: ['Nothing is stored.', '', WHERE_ELSE], json: { ...json, reset: false } }
  }
  if (!flags.yes && !(await output.confirm(`Forget ${what}, and count anew?`)))
    return { exit: EXIT.refused, lines: ['Nothing was changed.'], json: { ...json, reset: false } }
  await countAnew(m.control, name, writer)
  return {
    exit: EXIT.done,
    lines: [output.paint.good(`forgot ${what}`), 'Each process counts anew within five seconds.'],
    json: { ...json, reset: true },
  }
}

function refuseTogether(flags: ShadowFlags): void {
  const refuse = (message: string): never => {
    throw new CutoverError('ERR_OPTION', message)
  }
  if (flags.reset && (flags.html !== undefined || flags.top !== undefined))
    refuse('--reset shows no report; leave --html and --top out')
  if (!flags.reset && (flags.yes || flags.dryRun)) refuse('--yes and --dry-run belong to --reset')
}

async function writePage(file: string, page: string): Promise<void> {
  try {
    await writeFile(file, page)
  } catch (cause) {
    throw new CutoverError(
      'ERR_OPTION',
      `--html: the file could not be written: ${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    )
  }
}
