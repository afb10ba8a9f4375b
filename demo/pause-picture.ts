// One cutover under the glass as an SVG: every single call as a bar from its sending to its answer, and the steps below.
import type { Side } from './ledger.js'
import { count, escaped, ms, px } from './markup.js'
import type { Move, Run } from './run.js'
import { SLOW_LANES } from './slow-transaction.js'

const WIDTH = 1000
const LEFT = 62
const RIGHT = 12
const TOP = 24
const LANE = 8
const STEP_LANE = 15

/** Those that the callers wait for; the others take their time before and after. */
const IN_THE_PAUSE = ['hold', 'drain', 'fence', 'catch-up', 'stop-reads', 'decide', 'open']

interface Bar {
  readonly lane: number
  readonly side: Side | undefined
  readonly what: string
  readonly sent: number
  readonly acked: number
}

export function pausePicture(run: Run, move: Move): string {
  const { lastLeft, firstOpened, pauseMillis, readsMeanwhile } = move.pause
  const around = Math.min(300, Math.max(25, pauseMillis * 1.2))
  const [first, last] = [lastLeft - around, firstOpened + around]
  const x = (at: number): number =>
    LEFT + ((Math.min(last, Math.max(first, at)) - first) / (last - first)) * (WIDTH - LEFT - RIGHT)

  const { readers, slowTransactionMillis: slow } = run.settings
  const writers = run.settings.writers + (slow === undefined ? 0 : SLOW_LANES)
  const bars: Bar[] = [
    ...run.ledger.entries.map(({ writer, kind, side, sent, acked }) => ({
      lane: writer,
      side,
      what: kind,
      sent,
      acked,
    })),
    ...run.ledger.reads.map(({ reader, kind, side, sent, acked }) => ({
      lane: writers + reader,
      side,
      what: `read: ${kind}`,
      sent,
      acked,
    })),
  ].filter(({ sent, acked }) => acked > first && sent < last)
  const laneTop = (lane: number): number => TOP + lane * LANE + (lane >= writers ? 6 : 0)
  const lanesEnd = laneTop(writers + readers)
  const steps = move.steps.filter(({ step }) => IN_THE_PAUSE.includes(step))
  const stepsEnd = lanesEnd + 10 + steps.length * STEP_LANE

  const calls = bars.map(
    ({ lane, side, what, sent, acked }) =>
      `<rect class="call on-${side ?? 'unasked'}" x="${px(x(sent))}" y="${laneTop(lane) + 1}" width="${px(Math.max(1.2, x(acked) - x(sent)))}" height="${LANE - 2}"><title>${escaped(what)}${side === undefined ? '' : `, ${side} side`}: ${ms(acked - sent)}</title></rect>`,
  )
  const stepBars = steps.map(({ step, from, to }, index) => {
    const top = lanesEnd + 10 + index * STEP_LANE
    const end = Math.max(x(from) + 1.5, x(to))
    const label = `${step} ${ms(to - from)}`
    const before = end > WIDTH - 160
    return (
      `<rect class="step" x="${px(x(from))}" y="${top + 2}" width="${px(end - x(from))}" height="${STEP_LANE - 5}"/>` +
      `<text x="${px(before ? x(from) - 6 : end + 6)}" y="${top + STEP_LANE - 5}"${before ? ' text-anchor="end"' : ''}>${escaped(label)}</text>`
    )
  })
  const stride =
    [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((millis) => (last - first) / millis <= 16) ?? 2000
  const ticks: string[] = []
  for (let at = Math.ceil(-around / stride) * stride; lastLeft + at <= last; at += stride)
    ticks.push(
      `<line class="grid" x1="${px(x(lastLeft + at))}" x2="${px(x(lastLeft + at))}" y1="${TOP}" y2="${stepsEnd}"/>` +
        `<text x="${px(x(lastLeft + at))}" y="${stepsEnd + 15}" text-anchor="middle">${at} ms</text>`,
    )
  const [a, b] = [x(lastLeft), x(firstOpened)]
  return (
    `<svg viewBox="0 0 ${WIDTH} ${stepsEnd + 22}" role="img" aria-label="Calls around the pause">${ticks.join('')}` +
    `<rect class="band to-${move.opened}" x="${px(a)}" y="${TOP}" width="${px(b - a)}" height="${lanesEnd - TOP}"/>` +
    `<text class="label" x="${px((a + b) / 2)}" y="${TOP - 8}" text-anchor="middle">pause ${ms(pauseMillis)}, ${count(readsMeanwhile)} reads answered in it</text>` +
    inMargin('writers', (TOP + laneTop(writers)) / 2) +
    (readers > 0 ? inMargin('readers', (laneTop(writers) + lanesEnd) / 2) : '') +
    inMargin('steps', (lanesEnd + 10 + stepsEnd) / 2) +
    `${calls.join('')}${stepBars.join('')}</svg>`
  )
}

const inMargin = (name: string, middle: number): string =>
  `<text x="${LEFT - 8}" y="${px(middle + 4)}" text-anchor="end">${name}</text>`
