// The latency of writes over the whole run as an SVG, with the phases below and the cutovers as bands.
import { overTime } from './latency.js'
import type { Bin } from './latency.js'
import { escaped, ms, px } from './markup.js'
import type { Run } from './run.js'

const WIDTH = 1000
const LEFT = 62
const RIGHT = 12
const TOP = 34
const PLOT = 250
const PHASES = 22
const BIN_MILLIS = 200

/** The side that is written to in each phase; the colours of the page are the sides'. */
const WRITER: Readonly<Record<string, string>> = { live: 'new', rampdown: 'new', new: 'new' }

export function latencyPicture(run: Run): string {
  const first = run.spans[0]?.from ?? 0
  const last = run.spans.at(-1)?.to ?? 1
  const samples = run.ledger.entries.filter(({ acked }) => acked >= first && acked <= last)
  const bins = overTime(samples, first, BIN_MILLIS)
  const highest = Math.max(10, ...bins.map(({ max }) => max))
  const decades = [
    Math.floor(Math.log10(Math.max(0.1, Math.min(1, ...bins.map(({ p50 }) => p50))))),
    Math.ceil(Math.log10(highest)),
  ] as const
  const x = (at: number): number => LEFT + ((at - first) / (last - first)) * (WIDTH - LEFT - RIGHT)
  const y = (millis: number): number =>
    TOP +
    PLOT * (1 - (Math.log10(Math.max(millis, 10 ** decades[0])) - decades[0]) / (decades[1] - decades[0]))

  const line = (name: string, value: (bin: Bin) => number): string =>
    runs(bins)
      .map((stretch) => stretch.map((bin) => `${px(x(bin.from + BIN_MILLIS / 2))},${px(y(value(bin)))}`))
      .map((points) => `<polyline class="${name}" points="${points.join(' ')}"/>`)
      .join('')
  const grid = Array.from(
    { length: decades[1] - decades[0] + 1 },
    (_, index) => 10 ** (decades[0] + index),
  ).map(
    (value) =>
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${px(y(value))}" y2="${px(y(value))}"/>` +
      `<text x="${LEFT - 8}" y="${px(y(value) + 4)}" text-anchor="end">${value} ms</text>`,
  )
  const base = TOP + PLOT
  const seconds = (last - first) / 1000
  const stride = [1, 2, 5, 10, 30, 60, 300, 600].find((candidate) => seconds / candidate <= 12) ?? 3600
  const ticks = Array.from({ length: Math.floor(seconds / stride) + 1 }, (_, index) => index * stride).map(
    (second) =>
      `<text x="${px(x(first + second * 1000))}" y="${base + PHASES + 24}" text-anchor="middle">${second} s</text>`,
  )
  const asides = run.spans
    .filter(({ what }) => what === 'initial copy' || what === 'audit')
    .map(
      ({ from, to, what }) =>
        `<rect class="aside" x="${px(x(from))}" y="${TOP}" width="${px(x(to) - x(from))}" height="${PLOT}"/>` +
        `<text x="${px((x(from) + x(to)) / 2)}" y="${TOP - 12}" text-anchor="middle">${what}</text>`,
    )
  const bands = run.moves.map(({ from, to, opened, pause, direction }, index) => {
    const middle = x(pause.lastLeft)
    return (
      `<g><title>${escaped(direction)}: pause ${ms(pause.pauseMillis)}</title>` +
      `<rect class="band to-${opened}" x="${px(x(from))}" y="${TOP}" width="${px(Math.max(3, x(to) - x(from)))}" height="${PLOT}"/>` +
      `<line class="moment to-${opened}" x1="${px(middle)}" x2="${px(middle)}" y1="${TOP - 6}" y2="${base}"/>` +
      `<text class="label" x="${px(middle)}" y="${TOP - 12}" text-anchor="middle">${index + 1} · ${ms(pause.pauseMillis)}</text></g>`
    )
  })
  return (
    `<svg viewBox="0 0 ${WIDTH} ${base + PHASES + 34}" role="img" aria-label="Latency of writes over time">` +
    `${grid.join('')}${asides.join('')}${bands.join('')}${phases(run, first, last, x, base)}${ticks.join('')}` +
    `${line('max', ({ max }) => max)}${line('p99', ({ p99 }) => p99)}${line('p50', ({ p50 }) => p50)}</svg>` +
    `<p class="legend"><span class="p50">median</span><span class="p99">99 %</span><span class="max">longest</span>` +
    `<span class="note">of every ${BIN_MILLIS} ms; a coloured band runs from the first check to the turned mirror, its line is the pause</span></p>`
  )
}

/** Cut where nothing was answered for a while, so that no line is drawn through it. */
function runs(bins: readonly Bin[]): Bin[][] {
  const result: Bin[][] = []
  for (const bin of bins) {
    const before = result.at(-1)
    if (before && bin.from - (before.at(-1)?.from ?? 0) < 2.5 * BIN_MILLIS) before.push(bin)
    else result.push([bin])
  }
  return result
}

function phases(run: Run, first: number, last: number, x: (at: number) => number, top: number): string {
  return run.phases
    .map(({ phase, at }, index) => {
      const from = x(Math.max(first, at))
      const to = x(Math.min(last, run.phases[index + 1]?.at ?? last))
      const label = to - from > 7 * phase.length ? phase : ''
      return to <= from
        ? ''
        : `<g><title>phase ${escaped(phase)}</title><rect class="phase on-${WRITER[phase] ?? 'old'}" x="${px(from)}" y="${top + 3}" width="${px(to - from - 1)}" height="${PHASES - 4}"/>` +
            `<text class="on" x="${px((from + to) / 2)}" y="${top + 17}" text-anchor="middle">${escaped(label)}</text></g>`
    })
    .join('')
}
