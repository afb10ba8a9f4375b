// The pictures of the benchmarks: what is longer is drawn longer, a limit lies where its value lies, and names cannot break them.
import { describe, expect, it } from 'vitest'
import type { Outcome } from '../../bench/outcome.js'
import { picture } from '../../bench/picture.js'
import type { Picture } from '../../bench/report.js'

const drawn = (wished: Partial<Picture>, outcomes: readonly Outcome[]): string =>
  picture({
    title: 'a part',
    how: '',
    outcomes,
    picture: { kind: 'bars', title: 'A picture', unit: 'ns', ...wished },
  }) ?? ''

const ns = (what: string, measured: number, more: Partial<Outcome> = {}): Outcome => ({
  what,
  unit: 'ns',
  measured,
  ...more,
})

/** The attribute of each element of that class, as numbers. */
function numbers(svg: string, name: string, attribute: string): number[] {
  const elements = svg.match(new RegExp(`<[^>]*class="${name}"[^>]*>`, 'g')) ?? []
  return elements.map((one) => Number(new RegExp(` ${attribute}="[^\\d"]*(-?[\\d.]+)`).exec(one)?.[1]))
}

const texts = (svg: string): string[] =>
  [...svg.matchAll(/<text[^>]*>([^<]*)/g)].map(([, text]) => text ?? '')

describe('bars', () => {
  it('are as long as what they show', () => {
    const [one = 0, two, ten] = numbers(drawn({}, [ns('a', 10), ns('b', 20), ns('c', 100)]), 'bar', 'width')
    expect([two, ten]).toEqual([expect.closeTo(2 * one, 0), expect.closeTo(10 * one, 0)])
    expect(one).toBeGreaterThan(10)
  })

  it('grow by the same for each power of ten on a scale of these', () => {
    const svg = drawn({ scale: 'log' }, [ns('a', 2), ns('b', 20), ns('c', 200)])
    const [a = 0, b = 0, c = 0] = numbers(svg, 'bar', 'width')
    expect(b - a).toBeCloseTo(c - b, 0)
    expect(b - a).toBeGreaterThan(50)
    expect(texts(svg)).toContain('ns, by powers of ten')
  })

  it('of ratios begin where both are the same', () => {
    const ratio = (what: string, measured: number): Outcome => ({ what, unit: '×', measured })
    const svg = drawn({ unit: '×' }, [ratio('less', 0.9), ratio('the same', 1), ratio('more', 1.1)])
    const [less = 0, same, more] = numbers(svg, 'bar', 'width')
    expect([same, more]).toEqual([0, expect.closeTo(less, 0)])
    const [left = 0, middle, right] = numbers(svg, 'bar', 'x')
    expect([middle, right]).toEqual([expect.closeTo(left + less, 0), expect.closeTo(left + less, 0)])
  })

  it.each(['linear', 'log'] as const)(
    'on a %s scale have their limit where it lies, and say what is missed',
    (scale) => {
      const svg = drawn({ scale }, [ns('a', 10), ns('b', 5, { most: 10 }), ns('c', 20, { most: 10 })])
      const [a = 0] = numbers(svg, 'bar', 'width')
      const [x = 0] = numbers(svg, 'bar', 'x')
      // The last one is that of the legend.
      expect(numbers(svg, 'limit', 'd').slice(0, 2)).toEqual([
        expect.closeTo(x + a, 0),
        expect.closeTo(x + a, 0),
      ])
      expect(numbers(svg, 'missed', 'width')).toHaveLength(1)
      expect(texts(svg)).toEqual(
        expect.arrayContaining(['10 ns', '5 ns, at most 10', '20 ns, at most 10, missed']),
      )
    },
  )

  it('have the ends of their interval where these lie', () => {
    const svg = drawn({}, [ns('a', 10), ns('b', 20), ns('c', 15, { interval: [10, 20] })])
    const [a = 0, b = 0] = numbers(svg, 'bar', 'width')
    const [x = 0] = numbers(svg, 'bar', 'x')
    const [, from, to] = /class="whisker" d="M([\d.]+) [\d.]+L([\d.]+)/.exec(svg) ?? []
    expect([Number(from), Number(to)]).toEqual([expect.closeTo(x + a, 0), expect.closeTo(x + b, 0)])
  })

  it('leave out what is measured in another unit', () => {
    const svg = drawn({}, [ns('a', 1), { what: 'heap', unit: 'bytes', measured: 5 }])
    expect(numbers(svg, 'bar', 'width')).toHaveLength(1)
    expect(svg).not.toContain('heap')
  })
})

describe('lines', () => {
  const point = (series: string, x: number, measured: number, more: Partial<Outcome> = {}): Outcome =>
    ns(`${series} of ${x}`, measured, { series, x, ...more })

  it('go through their points, one for each series', () => {
    const svg = drawn({ kind: 'lines', along: 'callers' }, [
      point('a', 1, 10),
      point('b', 1, 20),
      point('a', 3, 20),
      point('b', 3, 40),
      point('a', 2, 15),
    ])
    const spots = (nr: number): number[][] =>
      (new RegExp(`class="line${nr}" d="M([^"]*)`).exec(svg)?.[1] ?? '')
        .split('L')
        .map((spot) => spot.split(' ').map(Number))
    const [[left = 0, low = 0] = [], [middle, half] = [], [right = 0, high = 0] = []] = spots(0)
    expect([middle, half]).toEqual([
      expect.closeTo((left + right) / 2, 0),
      expect.closeTo((low + high) / 2, 0),
    ])
    const [[, same] = [], [, top = 0] = []] = spots(1)
    expect(same).toBe(high)
    // Upward is less.
    expect(same).toBeCloseTo((top + low + (low - high)) / 2, 0)
    expect(texts(svg)).toEqual(expect.arrayContaining(['a', 'b', 'callers', '10', '15', '20', '40']))
  })

  it('spread what would lie on one place, and draw each limit once', () => {
    const svg = drawn({ kind: 'lines', along: 'writes a second' }, [
      point('a', 100, 5, { most: 10 }),
      point('a', 1_000, 10, { most: 10 }),
      point('a', 10_000, 20),
    ])
    const [, way = ''] = /class="line0" d="M([^"]*)/.exec(svg) ?? []
    const [first = 0, second = 0, third = 0] = way.split('L').map((spot) => Number(spot.split(' ')[0]))
    expect(second - first).toBeCloseTo(third - second, 0)
    const y = Number(way.split('L')[1]?.split(' ')[1])
    expect(svg.match(/class="limit" d="M[\d.]+ ([\d.]+)/g)).toHaveLength(1)
    expect(Number(/class="limit" d="M[\d.]+ ([\d.]+)/.exec(svg)?.[1])).toBeCloseTo(y, 0)
  })
})

it('shows names that look like markup as they are', () => {
  const svg = drawn({ title: 'a & b' }, [ns('`a <&|> "b"`', 1)])
  expect(texts(svg)).toEqual(expect.arrayContaining(['a &amp; b', 'a &lt;&amp;|> &quot;b&quot;']))
  expect(svg).toContain('<title id="title">a &amp; b</title>')
  expect(svg.match(/<script|<b|`/)).toBeNull()
})

it('can be heard', () => {
  const svg = drawn({}, [ns('a', 1, { interval: [0.5, 2], most: 3 }), ns('b', 2)])
  expect(svg).toContain('role="img" aria-labelledby="title desc"')
  expect(svg).toContain('<desc id="desc">a: 1 ns (0.5 to 2), at most 3; b: 2 ns</desc>')
})

it.each([
  ['has no outcome of its unit', [{ what: 'a', unit: 's', measured: 1 }]],
  ['has nothing measured', []],
])('draws nothing for a part that %s', (_, outcomes) => {
  expect(drawn({}, outcomes)).toBe('')
})

it.each([
  ['one', [0]],
  ['all the same', [5, 5]],
  ['below nothing', [-3, 2]],
  ['small', [0.000_12, 0.000_07]],
])('has every coordinate for values that are %s', (_, values) => {
  for (const scale of ['linear', 'log'] as const)
    for (const kind of ['bars', 'lines'] as const) {
      const svg = drawn(
        { kind, scale },
        values.map((value, nr) => ns(`a ${nr}`, value, { x: nr, series: 'a' })),
      )
      expect(svg).not.toMatch(/NaN|Infinity|undefined/)
    }
})
