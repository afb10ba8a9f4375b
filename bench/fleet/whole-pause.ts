// How long a fleet of eight processes pauses together, with a thousand writes a second.
import { loadavg } from 'node:os'
import type { Pair } from '../../test/support/servers.js'
import type { PartOnPair, Tell } from '../on-pairs.js'
import { median } from '../outcome.js'
import { quantile } from '../paired.js'
import { begin, close, SETTINGS, WHERE } from './ground.js'
import { pauses, stepsOf, type FleetPause } from './pauses.js'

const PROCESSES = 8
const CALLERS = 4
const WRITES_A_SECOND = 1_000
const MOST_MILLIS = 50
/** Nobody waits in them. */
const OUTSIDE: readonly string[] = ['prepare', 'reverse']

const moves = (quick: boolean): number => (quick ? 4 : 20)

export const wholePause: PartOnPair = {
  title: 'How long does a fleet pause?',
  how: (quick) => [
    `${PROCESSES} processes, each a member with a pool, a control connection and ${CALLERS} callers,`,
    `who together wish for ${WRITES_A_SECOND.toLocaleString('en')} single-row writes a second; mirror by replication;`,
    `${moves(quick)} changes of writer, there and back, led by one of the members.`,
    'The pause is from the last write that the side left acknowledged to anyone to the first that the other one acknowledged to anyone,',
    'by one clock for all processes. A call is measured from sending to answer.',
    "The steps are the coordinator's, from the event `cutover`.",
    WHERE,
  ],
  picture: { kind: 'bars', title: 'The pause of eight processes and its steps', unit: 'ms' },
  settings: SETTINGS,
  run: measure,
}

async function measure(pair: Pair, quick: boolean, tell: Tell): Promise<readonly string[]> {
  const all = await begin(pair, 'bench_pause', PROCESSES, {
    members: 1,
    control: true,
    mirror: 'replication',
    callers: CALLERS,
    rate: WRITES_A_SECOND / PROCESSES,
  })
  try {
    await Promise.all(all.map((one) => one.do('go')))
    const { taken, failure: ended } = await pauses(all, moves(quick), shown)
    if (taken.length === 0) throw new Error(`no change of writer came about: ${ended}`)
    const of = (value: (one: FleetPause) => number): number[] => taken.map(value)
    const at = (share: number, values: readonly number[]): string => quantile(values, share).toFixed(1)
    const spans = of(({ pauseMillis }) => pauseMillis)
    tell(
      median(`pause of ${PROCESSES} processes`, 'ms', spans, {
        most: MOST_MILLIS,
        remark: `95 % ${at(0.95, spans)}, longest ${at(1, spans)}`,
      }),
    )
    const longest = of(({ longestMillis }) => longestMillis)
    tell(median('longest call of a change of writer', 'ms', longest, { remark: `of all ${at(1, longest)}` }))
    const steps = stepsOf(taken)
    for (const [step, values] of steps)
      if (!OUTSIDE.includes(step)) tell(median(`step ${step}`, 'ms', values))
    const failure = taken.find((one) => one.failed > 0)?.failure
    const failed = of((one) => one.failed).reduce((sum, one) => sum + one, 0)
    tell(
      median('failed writes', 'writes', [failed], {
        most: 0,
        ...(failure !== undefined && { remark: failure }),
      }),
    )
    const writes = Math.round(
      quantile(
        of(({ writesASecond }) => writesASecond),
        0.5,
      ),
    )
    const outside = OUTSIDE.map((step) => `${step} ${Math.round(quantile(steps.get(step) ?? [], 0.5))} ms`)
    return [
      ...(ended === undefined
        ? []
        : [`After ${taken.length} of ${moves(quick)} changes of writer one failed: ${ended}`]),
      `${writes} of the ${WRITES_A_SECOND.toLocaleString('en')} writes a second came about.`,
      `Outside of the pause, in the median: ${outside.join(', ')}.`,
    ]
  } finally {
    await close(all)
  }
}

export const shown = ({ pauseMillis, longestMillis, writesASecond }: FleetPause): void =>
  console.error(
    `  pause ${pauseMillis.toFixed(1)} ms, longest call ${longestMillis.toFixed(1)} ms, ${Math.round(writesASecond)} writes/s, load ${loadavg()[0]?.toFixed(1)}`,
  )
