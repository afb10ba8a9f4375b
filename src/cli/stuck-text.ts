// What the other side refuses, in words.
import type { StuckRow } from '../mirror/lag.js'
import type { Side } from '../phase/phases.js'
import { printable, type Paint } from './screen.js'

type Named = Pick<StuckRow, 'table' | 'key'>

/** Two lines each. Empty where nothing is stuck. */
export const stuckLines = (rows: readonly StuckRow[], to: Side, paint: Paint): string[] =>
  rows.flatMap((row) => [
    '',
    `${row.setAside ? paint.faint('set aside') : paint.bad('stuck    ')}  ${stuckName(row)}`,
    `           ${to} says: ${printable(row.message)} (${row.sqlstate}), since ${row.since}`,
  ])

export const stuckName = ({ table, key }: Named): string =>
  key === undefined ? `all of ${printable(table)}` : `${printable(table)} ${printable(key)}`

const SHOWN = 5

export function stuckNames(rows: readonly Named[]): string {
  const more = rows.length - SHOWN
  return `${rows.slice(0, SHOWN).map(stuckName).join('; ')}${more > 0 ? `; and ${more} more` : ''}`
}
