// The report of compared reads as text for a terminal.
import type { Mismatch, Percentiles, StatementReport } from '../shadow/report.js'
import { columns, counted, printable, table, type Paint } from './screen.js'
import type { FleetReport } from './shadow-reports.js'

const LONGEST_TEXT = 110

export const WHERE_ELSE =
  'Processes in coordinated mode store what they have compared, within five seconds. In direct mode nothing is stored: ask the process itself by cutover.shadow.report().'

/** At most `top` statements and mismatches. */
export function reportText(report: FleetReport, top: number, paint: Paint): string[] {
  if (report.processes === 0)
    return [`migration ${report.name}`, '  nothing was compared yet', '', WHERE_ELSE]
  const statements = report.statements.slice(0, top)
  const mismatches = report.mismatches.slice(0, top)
  return [
    `migration ${report.name}`,
    ...columns(totalsOf(report, paint)),
    '',
    ...statementLines(statements, paint),
    ...more(report.statements.length - statements.length, 'statement'),
    ...(mismatches.length === 0
      ? []
      : [
          '',
          'The latest difference of each statement:',
          ...mismatches.flatMap((one) => mismatchLines(one, paint)),
        ]),
    ...more(report.mismatches.length - mismatches.length, 'difference'),
  ]
}

export const count = (number: number, noun: string): string =>
  `${counted(number)} ${noun}${number === 1 ? '' : noun.endsWith('s') ? 'es' : 's'}`

/** What was not compared, with its reasons; the largest first. */
export function skippedText({ skipped }: Pick<FleetReport, 'skipped'>): string {
  const parts = Object.entries(skipped)
    .filter(([, number]) => number > 0)
    .toSorted(([, a], [, b]) => b - a)
    .map(([why, number]) => `${counted(number)} ${why}`)
  return parts.length === 0 ? 'none' : parts.join(', ')
}

/** Three digits that matter, which are more than the buckets promise. */
export function millis(value: number | undefined): string {
  if (value === undefined) return '–'
  return value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0)
}

export const timesText = (factor: number): string => `${factor.toFixed(factor < 10 ? 1 : 0)} times`

function totalsOf(report: FleetReport, paint: Paint): [string, string][] {
  const { equal, lag, order, real, unsettled } = report.outcomes
  return [
    [
      'compared',
      `${count(report.compared, 'read')} of ${count(report.statements.length, 'statement')}, by ${count(report.processes, 'process')} since ${report.since}`,
    ],
    [
      'answers',
      `${real > 0 ? paint.bad(`${counted(real)} real`) : paint.good('0 real')}, ${counted(order)} order, ${counted(lag)} lag, ${counted(unsettled)} unsettled, ${counted(equal)} equal`,
    ],
    ['skipped', skippedText(report)],
    ['now', report.comparing ? 'reads are being compared' : 'no reads are compared in this phase'],
  ]
}

const HEADING = [
  'statement',
  'compared',
  'real',
  'order',
  'lag',
  'old p50',
  'p95',
  'p99',
  'new p50',
  'p95',
  'p99',
]

function statementLines(statements: readonly StatementReport[], paint: Paint): string[] {
  const [heading = '', ...rows] = table([HEADING, ...statements.map(cells)])
  return [
    paint.faint(`${heading}  (milliseconds)`),
    ...statements.flatMap((statement, at) => {
      const row = rows[at] ?? ''
      return [
        statement.outcomes.real > 0 ? paint.bad(row) : row,
        ...(statement.text === undefined ? [] : [paint.faint(`    ${oneLine(statement.text)}`)]),
        ...planLines(statement, paint),
      ]
    }),
  ]
}

function cells({ fingerprint, compared, outcomes, ...sides }: StatementReport): string[] {
  const latencies = ({ p50, p95, p99 }: Percentiles): string[] => [p50, p95, p99].map(millis)
  const counts = [compared, outcomes.real, outcomes.order, outcomes.lag]
  return [fingerprint, ...counts.map(counted), ...latencies(sides.old), ...latencies(sides.new)]
}

function planLines({ planChange }: StatementReport, paint: Paint): string[] {
  if (planChange === undefined) return []
  const { slowdown } = planChange
  const slower = slowdown !== undefined && slowdown > 1.5
  const factor =
    slowdown === undefined ? '' : `, the new side's median is ${timesText(slowdown)} the old one's`
  const line = `    another plan${factor}`
  return [
    slower ? paint.warn(line) : line,
    paint.faint(`      old  ${oneLine(planChange.old)}`),
    paint.faint(`      new  ${oneLine(planChange.new)}`),
  ]
}

function mismatchLines({ outcome, fingerprint, at, detail, keys }: Mismatch, paint: Paint): string[] {
  const word = outcome === 'real' ? paint.bad(outcome.padEnd(9)) : outcome.padEnd(9)
  const rows = (['old', 'new'] as const).filter((side) => keys[side].length > 0)
  return [
    `  ${word}  ${fingerprint}  ${at}  ${printable(detail)}`,
    ...rows.map((side) => paint.faint(`             rows of ${side} alone: ${keys[side].join(' ')}`)),
  ]
}

const more = (left: number, noun: string): string[] =>
  left > 0 ? [`  and ${count(left, `more ${noun}`)}; see --top or --json`] : []

function oneLine(text: string): string {
  const line = printable(text)
  return line.length > LONGEST_TEXT ? `${line.slice(0, LONGEST_TEXT - 1)}…` : line
}
