// A line for each series over x, with the interval and the value of each point, and the limits across.
import { shown, type Outcome } from '../outcome.js'
import type { Picture } from '../report.js'
import { axis, type Axis } from './axis.js'
import { element, label, LETTER, SERIES, whisker, WIDTH, type Point } from './svg.js'

const LEFT = 72
const RIGHT = 48
const HEIGHT = 260
const LEGEND_ROW = 20
/** Loads of 100 and of 3,000 would lie on top of each other otherwise. */
const WIDE = 20

type Placed = Outcome & { readonly x: number }

export function lines(picture: Picture, outcomes: readonly Outcome[]): { height: number; body: string[] } {
  const placed = outcomes.filter((outcome): outcome is Placed => outcome.x !== undefined)
  const series = [...new Set(placed.map(nameOf))]
  const top = 64 + series.length * LEGEND_ROW
  const bottom = top + HEIGHT
  const log = picture.scale === 'log'
  const places = [...new Set(placed.map(({ x }) => x))].toSorted((a, b) => a - b)
  const [least = 0, most = 0] = [places[0], places.at(-1)]
  const xScale = least > 0 && most / least > WIDE ? 'log' : 'linear'
  const across = exactly(places, xScale)
  const values = placed.flatMap(({ measured, interval = [], ...limit }) => [
    measured,
    ...interval,
    ...limitsOf(limit),
  ])
  const upward = axis(log ? values : [0, ...values], picture.scale ?? 'linear', { from: bottom, to: top })
  const at = ({ x, measured }: Placed): Point => ({ x: across(x), y: upward.at(measured) })
  return {
    height: bottom + 60,
    body: [
      label(log ? `${picture.unit}, by powers of ten` : picture.unit, { class: 'axis', x: 24, y: top - 16 }),
      ...frame(upward, places, across, bottom),
      label(`${picture.along ?? ''}${xScale === 'log' ? ', by powers of ten' : ''}`, {
        class: 'axis',
        x: (LEFT + WIDTH - RIGHT) / 2,
        y: bottom + 40,
        'text-anchor': 'middle',
      }),
      ...limits(placed, upward),
      ...series.flatMap((name, nr) =>
        one(
          placed.filter((outcome) => nameOf(outcome) === name).toSorted((a, b) => a.x - b.x),
          nr,
          at,
          upward,
        ),
      ),
      ...places.flatMap((x) =>
        numbers(
          placed.filter((outcome) => outcome.x === x),
          at,
        ),
      ),
      ...series.flatMap((name, nr) => legend(name, nr, 48 + nr * LEGEND_ROW)),
    ],
  }
}

const nameOf = ({ series, what }: Outcome): string => series ?? what

const limitsOf = ({ most, least }: Pick<Outcome, 'most' | 'least'>): number[] =>
  [most, least].filter((limit) => limit !== undefined)

/** From one edge to the other, without rounding: what was measured is what is written along it. */
function exactly(places: readonly number[], scale: 'linear' | 'log'): (x: number) => number {
  const of = (x: number): number => (scale === 'log' ? Math.log10(x) : x)
  const [low, high] = [of(places[0] ?? 0), of(places.at(-1) ?? 1)]
  const [from, to] = [LEFT + 24, WIDTH - RIGHT - 24]
  return (x) => (high === low ? (from + to) / 2 : from + ((of(x) - low) / (high - low)) * (to - from))
}

function frame(
  upward: Axis,
  places: readonly number[],
  across: (x: number) => number,
  bottom: number,
): string[] {
  return [
    ...upward.ticks.flatMap((tick) => [
      element('path', { class: 'grid', d: `M${LEFT} ${Math.round(upward.at(tick))}H${WIDTH - RIGHT}` }),
      label(shown(tick), { class: 'tick', x: LEFT - 8, y: upward.at(tick) + 4, 'text-anchor': 'end' }),
    ]),
    ...places.map((x) =>
      label(shown(x), { class: 'tick', x: across(x), y: bottom + 20, 'text-anchor': 'middle' }),
    ),
  ]
}

function limits(placed: readonly Placed[], upward: Axis): string[] {
  return [...new Set(placed.flatMap(limitsOf))].flatMap((limit) => [
    element('path', {
      class: 'limit',
      d: `M${LEFT} ${Math.round(upward.at(limit) * 10) / 10}H${WIDTH - RIGHT}`,
    }),
    label(`limit ${shown(limit)}`, {
      class: 'axis',
      x: WIDTH - RIGHT,
      y: upward.at(limit) - 6,
      'text-anchor': 'end',
    }),
  ])
}

function one(points: readonly Placed[], nr: number, at: (point: Placed) => Point, upward: Axis): string[] {
  const spots = points.map(at)
  const way = spots.map(({ x, y }) => `${Math.round(x * 10) / 10} ${Math.round(y * 10) / 10}`).join('L')
  return [
    element('path', { class: `line${nr % SERIES}`, d: `M${way}` }),
    ...points.flatMap(({ interval }, index) => {
      const { x = 0 } = spots[index] ?? {}
      return interval ? [whisker({ x, y: upward.at(interval[0]) }, { x, y: upward.at(interval[1]) })] : []
    }),
    ...spots.map((spot) => mark(spot, nr)),
  ]
}

/** Each series has a shape of its own, for whoever does not tell the colours apart. */
function mark({ x, y }: Point, nr: number): string {
  const own = { class: `dot${nr % SERIES}` }
  if (nr % 3 === 0) return element('circle', { ...own, cx: x, cy: y, r: 4.5 })
  const square = { ...own, x: x - 4, y: y - 4, width: 8, height: 8 }
  return element(
    'rect',
    nr % 3 === 1 ? square : { ...square, transform: `rotate(45 ${x.toFixed(1)} ${y.toFixed(1)})` },
  )
}

/** Beside their points, and pushed apart where these lie close together. */
function numbers(placed: readonly Placed[], at: (point: Placed) => Point): string[] {
  let above = -Infinity
  return placed
    .map((outcome) => ({ outcome, ...at(outcome) }))
    .toSorted((a, b) => a.y - b.y)
    .map(({ outcome, x, y }) => {
      above = Math.max(y - 6, above + 14)
      return label(shown(outcome.measured), { x: x + 9, y: above })
    })
}

const legend = (name: string, nr: number, y: number): string[] => [
  element('path', { class: `line${nr % SERIES}`, d: `M16 ${y - 4}h28` }),
  mark({ x: 30, y: y - 4 }, nr),
  label(name.slice(0, Math.floor((WIDTH - 64) / LETTER)), { x: 52, y }),
]
