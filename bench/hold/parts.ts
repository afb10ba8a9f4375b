// What the rounds of held queries say, question by question.
import { median, type Outcome } from '../outcome.js'
import type { Part } from '../report.js'
import { HELD, MAX, type Busy, type Released, type Round } from './rounds.js'

const MOST_BYTES = 15_000_000 / HELD
const MOST_TURN_MILLIS = 10

const FACADE = 'held by the facade'
const PLAIN = 'waiting in the line of a plain pg.Pool'
const IDLE = 'the same time with nothing to do'

type PartOf = (rounds: readonly Round[], stub: boolean) => Part

const ways = (stub: boolean): string =>
  `${HELD.toLocaleString('en')} calls of \`pool.query\` over ${MAX} connections${stub ? ' that answer at once' : ' to a server'}`

const weight: PartOf = (rounds, stub) => ({
  title: `What does a held query weigh${without(stub)}?`,
  how: `The heap before and after ${ways(stub)}, each time after a full collection: held by the facade, and
waiting in the line of a plain \`pg.Pool\` whose connections are all checked out. The promise and the values of the call are in it.`,
  outcomes: both('a query', 'bytes', { rounds, of: 'bytesEach', most: MOST_BYTES }),
  picture: { kind: 'bars', title: `Heap of a held query${without(stub)}`, unit: 'bytes' },
})

const release: PartOf = (rounds, stub) => ({
  title: `How long does the release of a hold take${without(stub)}?`,
  how: `From the end of the hold until the last of ${ways(stub)} has its answer; the same calls are let go in a plain
\`pg.Pool\` by the release of the connections that were checked out.`,
  outcomes: both('all answered', 'ms', { rounds, of: 'millis' }),
  picture: { kind: 'bars', title: `Until all are answered${without(stub)}`, unit: 'ms' },
})

const loop: PartOf = (rounds, stub) => ({
  title: `How long does the release keep the event loop${without(stub)}?`,
  how: `While ${ways(stub)} are released: the longest turn of the loop, in time and in CPU time of the
process, and the delay of a timer that is due each millisecond, by the histogram of Node (that millisecond is in it). Of a longest
turn the longest of ${rounds.length} rounds is told, with the middle half of the rounds.`,
  outcomes: [
    ...both('longest turn', 'ms', { rounds, of: 'turnMillis', most: MOST_TURN_MILLIS }, worst),
    idle('longest turn', { rounds, of: 'turnMillis' }, worst),
    ...both('most CPU time of a turn', 'ms', { rounds, of: 'turnCpuMillis', most: MOST_TURN_MILLIS }, worst),
    ...both('delay of a timer, 99 %', 'ms', { rounds, of: 'delay99Millis' }),
    idle('delay of a timer, 99 %', { rounds, of: 'delay99Millis' }),
    ...both('most delay of a timer', 'ms', { rounds, of: 'delayMostMillis' }, worst),
    idle('most delay of a timer', { rounds, of: 'delayMostMillis' }, worst),
  ],
  picture: {
    kind: 'bars',
    title: `The event loop while a hold is released${without(stub)}`,
    unit: 'ms',
    scale: 'log',
  },
  notes: [
    'What an idle loop loses is taken by other processes of the machine, the servers among them, and no less from a loop at work.',
    'CPU time is told for the whole process: what collects its garbage on other threads is in it.',
  ],
})

export const PARTS: readonly PartOf[] = [weight, release, loop]

const without = (stub: boolean): string => (stub ? ', without servers' : '')

interface Of<Key> {
  readonly rounds: readonly Round[]
  readonly of: Key
  readonly most?: number
}

const FACADE_OR_PLAIN = { facade: FACADE, plain: PLAIN } as const

/** A line for the facade, which the limit is for, and one for the plain pool. */
function both(
  what: string,
  unit: string,
  { rounds, of, most }: Of<keyof Released>,
  told: Told = median,
): Outcome[] {
  return (['facade', 'plain'] as const).map((way) => {
    const values = (nr: 0 | 1): number[] => rounds.map((round) => round[way][nr][of])
    const name = `${what}, ${FACADE_OR_PLAIN[way]}`
    const same = told(name, unit, values(1))
    return told(name, unit, values(0), {
      same: same.measured,
      ...(same.interval && { sameInterval: same.interval }),
      ...(way === 'facade' && most !== undefined && { most }),
    })
  })
}

const idle = (what: string, { rounds, of }: Of<keyof Busy>, told: Told = median): Outcome =>
  told(
    `${what}, ${IDLE}`,
    'ms',
    rounds.map((round) => round.idle[of]),
  )

type Told = typeof median

/** Of what is to hold each time, the worst counts and not the median. */
const worst: Told = (what, unit, values, bound) => {
  const { interval: _, ...middle } = median(what, unit, values, bound)
  return { ...middle, measured: Number(Math.max(...values).toPrecision(4)) }
}
