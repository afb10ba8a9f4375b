// Draws the picture of a part of a report as SVG: the same outcomes give the same bytes.
import { bound, shown, type Outcome } from './outcome.js'
import { bars } from './picture/bars.js'
import { lines } from './picture/lines.js'
import { svg } from './picture/svg.js'
import type { Part } from './report.js'

const KINDS = { bars, lines } as const

/** Undefined where there is nothing to draw. Outcomes in another unit than the picture's, and failed ones, are left to the table. */
export function picture(part: Part): string | undefined {
  const wished = part.picture
  if (wished === undefined) return undefined
  const drawn = part.outcomes.filter(
    ({ unit, x, measured }) =>
      unit === wished.unit && Number.isFinite(measured) && (wished.kind === 'bars' || x !== undefined),
  )
  if (drawn.length === 0) return undefined
  const { height, body } = KINDS[wished.kind](wished, drawn)
  return svg(wished.title, drawn.map(told).join('; '), height, body)
}

function told(outcome: Outcome): string {
  const { what, measured, unit, interval } = outcome
  const within = interval === undefined ? '' : ` (${interval.map(shown).join(' to ')})`
  const limit = bound(outcome)
  return `${what}: ${shown(measured)} ${unit}${within}${limit === '' ? '' : `, ${limit}`}`
}
