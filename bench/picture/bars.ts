// A bar for each outcome, with its interval, its limit and what the same against itself came to.
import { bound, isMet, shown, type Outcome } from '../outcome.js'
import type { Picture } from '../report.js'
import { axis, type Axis } from './axis.js'
import { element, label, LETTER, whisker, WIDTH } from './svg.js'

const LEFT = 24
/** For the value, which is written after its bar. */
const RIGHT = 224
const TOP = 40
const ROW = 42
const LONGEST_LABEL = Math.floor((WIDTH - 2 * LEFT) / LETTER)

export function bars(picture: Picture, outcomes: readonly Outcome[]): { height: number; body: string[] } {
  const log = picture.scale === 'log'
  // A ratio is read as how far it is from the same, everything else from nothing.
  const start = picture.unit === '×' ? [1] : log ? [] : [0]
  const along = axis([...start, ...outcomes.flatMap(drawnValues)], picture.scale ?? 'linear', {
    from: LEFT,
    to: WIDTH - RIGHT,
  })
  const origin = along.at(start[0] ?? along.ticks[0] ?? 0)
  const bottom = TOP + outcomes.length * ROW
  return {
    height: bottom + 60,
    body: [
      ...along.ticks.flatMap((tick) => [
        element('path', { class: 'grid', d: `M${Math.round(along.at(tick))} ${TOP}V${bottom}` }),
        label(shown(tick), { class: 'tick', x: along.at(tick), y: bottom + 16, 'text-anchor': 'middle' }),
      ]),
      label(log ? `${picture.unit}, by powers of ten` : picture.unit, {
        class: 'axis',
        x: WIDTH - RIGHT + 32,
        y: bottom + 16,
      }),
      ...outcomes.flatMap((outcome, nr) => row(outcome, along, origin, TOP + nr * ROW)),
      element('path', { class: 'start', d: `M${Math.round(origin)} ${TOP}V${bottom}` }),
      ...legend(outcomes, bottom + 42),
    ],
  }
}

const drawnValues = ({ measured, interval, same, most, least }: Outcome): number[] =>
  [measured, ...(interval ?? []), same, most, least].filter((value) => value !== undefined)

function row(outcome: Outcome, along: Axis, origin: number, top: number): string[] {
  const { what, measured, unit, interval, same, most, least } = outcome
  const middle = top + 28
  const end = along.at(measured)
  const limit = most ?? least
  const missed = isMet(outcome) === false
  const ends = [origin, end, ...[interval ?? [], same ?? [], limit ?? []].flat().map(along.at)]
  const value = [`${shown(measured)} ${unit}`, bound(outcome), missed ? 'missed' : ''].filter(
    (part) => part !== '',
  )
  return [
    label(what.length > LONGEST_LABEL ? `${what.slice(0, LONGEST_LABEL - 1)}…` : what, {
      x: LEFT,
      y: top + 14,
    }),
    element('rect', {
      class: missed ? 'missed' : 'bar',
      x: Math.min(origin, end),
      y: middle - 6,
      width: Math.abs(end - origin),
      height: 12,
    }),
    ...(limit === undefined ? [] : [limitLine(along.at(limit), middle - 9, middle + 9)]),
    ...(interval
      ? [whisker({ x: along.at(interval[0]), y: middle }, { x: along.at(interval[1]), y: middle })]
      : []),
    ...(same === undefined ? [] : [sameMark(along.at(same), middle)]),
    label(value.join(', '), { x: Math.max(...ends) + 10, y: middle + 4 }),
  ]
}

const limitLine = (x: number, from: number, to: number): string =>
  element('path', { class: 'limit', d: `M${Math.round(x * 10) / 10} ${from}V${to}` })

const sameMark = (x: number, y: number): string => element('circle', { class: 'same', cx: x, cy: y, r: 3.5 })

/** Only of what is to be seen. */
function legend(outcomes: readonly Outcome[], y: number): string[] {
  const middle = y - 4
  const signs = [
    outcomes.some(({ interval }) => interval) && {
      sign: (x: number) => whisker({ x, y: middle }, { x: x + 20, y: middle }),
      text: 'the median in 95 of 100 repetitions',
    },
    outcomes.some(({ same }) => same !== undefined) && {
      sign: (x: number) => sameMark(x + 10, middle),
      text: 'the same against itself',
    },
    outcomes.some(({ most, least }) => (most ?? least) !== undefined) && {
      sign: (x: number) => limitLine(x + 10, middle - 8, middle + 8),
      text: 'limit',
    },
  ].filter((one) => one !== false)
  let x = LEFT
  return signs.flatMap(({ sign, text }) => {
    const drawn = [sign(x), label(text, { class: 'axis', x: x + 28, y })]
    x += 28 + text.length * LETTER + 24
    return drawn
  })
}
