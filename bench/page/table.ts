// Tables of Markdown out of outcomes: a column that would be empty is not drawn.
import { bound, isMet, shown, type Outcome } from '../outcome.js'

type Column<Row> = readonly [head: string, cell: (row: Row) => string]

export interface Placed {
  /** Where more is told of it, as Markdown. */
  readonly where: string
  readonly outcome: Outcome
}

const range = (ends: readonly [number, number] | undefined): string => ends?.map(shown).join(' to ') ?? ''

const met = (outcome: Outcome): string =>
  ({ undefined: '', true: 'yes', false: '**no**' })[`${isMet(outcome)}`]

const MEASURED: readonly Column<Outcome>[] = [
  ['measured', ({ measured, unit }) => `${shown(measured)} ${unit}`],
  ['95 of 100', ({ interval }) => range(interval)],
]

const AGAINST_LIMIT: readonly Column<Outcome>[] = [
  [
    'against itself',
    ({ same, sameInterval }) =>
      same === undefined ? '' : `${shown(same)}${sameInterval ? ` (${range(sameInterval)})` : ''}`,
  ],
  ['limit', bound],
  ['met', met],
]

const OF_PART: readonly Column<Outcome>[] = [
  ['', ({ what }) => what],
  ...MEASURED,
  ['middle half', ({ middleHalf }) => range(middleHalf)],
  ...AGAINST_LIMIT,
  ['remark', ({ remark = '' }) => remark],
]

const OF_LIMITS: readonly Column<Placed>[] = [
  ['', ({ where }) => where],
  ...[['', ({ what }) => what] as const satisfies Column<Outcome>, ...MEASURED, ...AGAINST_LIMIT].map(
    ([head, cell]): Column<Placed> => [head, ({ outcome }) => cell(outcome)],
  ),
]

export const outcomesTable = (outcomes: readonly Outcome[]): string => table(OF_PART, outcomes)

/** `where` is Markdown, and stays as it is. */
export const limitsTable = (placed: readonly Placed[]): string => table(OF_LIMITS, placed, 1)

function table<Row>(columns: readonly Column<Row>[], rows: readonly Row[], asItIs = 0): string {
  const cells = columns
    .map(([head, cell], nr) => [head, ...rows.map((row) => (nr < asItIs ? cell(row) : inCell(cell(row))))])
    .filter((column) => column.some((cell, nr) => nr > 0 && cell !== ''))
  const line = (nr: number): string => `| ${cells.map((column) => column[nr]).join(' | ')} |`
  return [line(0), `|${'---|'.repeat(cells.length)}`, ...rows.map((_, nr) => line(nr + 1))].join('\n')
}

/** A bar would end the cell, also within code; a sign of a tag counts only outside of it. */
function inCell(text: string): string {
  return text
    .split(/(`[^`]*`)/)
    .map((part, nr) => (nr % 2 === 1 ? part : part.replaceAll('&', '&amp;').replaceAll('<', '&lt;')))
    .join('')
    .replaceAll('|', String.raw`\|`)
    .replaceAll('\n', ' ')
}
