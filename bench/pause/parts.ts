// What the moves of each case say, as parts of a report.
import { median, type Outcome } from '../outcome.js'
import { quantile } from '../paired.js'
import type { Part } from '../report.js'
import type { Move } from './move.js'
import type { Moved } from './service.js'

const MOST_PAUSE_MILLIS = 10
const MOST_PAUSE_MILLIS_99 = 25
const MOST_ADDED_MILLIS = 5
/** Before anybody waits, and after it. */
const OUTSIDE: ReadonlySet<string> = new Set(['prepare', 'reverse'])

const HOW =
  'One process in coordinated mode, mirror by replication, 15 to 18 and back, `fsync` on, both servers and the process on the cores of one machine. Writes are single-row updates that are due at a steady pace, whatever became of those before; what a call waits counts from the moment it was due.'

export function main(one: Moved): Part {
  const { moves, failed, failure, setting, asked, refused } = one
  const pauses = of(moves, ({ pauseMillis }) => pauseMillis)
  const added = of(moves, ({ longestMillis, usualMillis }) => longestMillis - usualMillis)
  const around = of(moves, ({ aroundMillis }) => aroundMillis)
  const aborted = of(moves, (move) => move.aborted).reduce((sum, one) => sum + one, 0)
  return {
    title: 'How long do writes pause?',
    how: `${HOW} ${moves.length} moves there and back, ${setting.connections} connections. The pause is from the last write that the side left acknowledged to the first that the other one acknowledged. Added is what the longest write that was under way during the pause waited beyond the usual wait.`,
    outcomes: [
      median(`pause, ${asked.toLocaleString('en')} writes/s`, 'ms', pauses, {
        most: MOST_PAUSE_MILLIS,
        remark: `${written(moves)} writes/s came about`,
      }),
      late('the same, 99 %', pauses, { most: MOST_PAUSE_MILLIS_99 }),
      median('added to the longest write at the flip', 'ms', added, { most: MOST_ADDED_MILLIS }),
      late('the same, 99 %', added),
      median('longest write of a move besides, its preparation included', 'ms', around),
      median(
        'usual wait of a write',
        'ms',
        of(moves, ({ usualMillis }) => usualMillis),
      ),
      {
        what: 'failed writes',
        unit: 'writes',
        measured: failed,
        most: 0,
        ...(failure !== undefined && { remark: failure }),
      },
      {
        what: 'attempts that changed nothing',
        unit: 'attempts',
        measured: aborted + refused.length,
        ...(refused[0] !== undefined && { remark: refused[0] }),
      },
    ],
    ...(asked < setting.writes && {
      notes: [
        `${setting.writes.toLocaleString('en')} writes/s were to be asked for. Seven tenths of what the machine did are ${asked.toLocaleString('en')}.`,
      ],
    }),
  }
}

export function stepsOf({ moves }: Moved): Part {
  const names = Object.keys(moves[0]?.steps ?? {})
  const step = (name: string): Outcome =>
    median(
      name,
      'ms',
      of(moves, ({ steps }) => steps[name] ?? Number.NaN),
    )
  const outside = names.filter((name) => OUTSIDE.has(name)).map(step)
  return {
    title: 'Where does the time of a pause go?',
    how: 'The steps of the same moves by the coordinator, which is in the same process. Writes go on being answered in `hold` and `drain`, so that the pause is shorter than the sum.',
    outcomes: [
      ...names.filter((name) => !OUTSIDE.has(name)).map(step),
      median(
        'beginning of the hold to the last answer of the side left',
        'ms',
        of(moves, ({ lastMillis }) => lastMillis),
      ),
      median(
        'end of `open` to the first answer of the other side',
        'ms',
        of(moves, ({ firstMillis }) => firstMillis),
      ),
    ],
    picture: { kind: 'bars', title: 'Steps of the pause', unit: 'ms' },
    notes: outside.map(
      ({ what, measured }) =>
        `\`${what}\` lies outside the pause; it took ${Math.round(measured)} ms in the median.`,
    ),
  }
}

export const overLoad = (all: readonly Moved[]): Part => ({
  title: 'Does the pause grow with the load?',
  how: `As above, with ${all[0]?.setting.connections} connections. 100, 1,000 and 3,000 writes/s are asked for, but no more than seven tenths of what the machine does.`,
  outcomes: all.flatMap((one) => over(one, one.asked, 'writes/s')),
  picture: { kind: 'lines', title: 'Pause over load', unit: 'ms', along: 'writes a second' },
})

export const overConnections = (all: readonly Moved[]): Part => ({
  title: 'Does it grow with the pool?',
  how: `As above, with 1,000 writes/s, or seven tenths of what the machine does. Connections are those of each side's pool at most.`,
  outcomes: all.flatMap((one) => over(one, one.setting.connections, 'connections')),
  picture: { kind: 'lines', title: 'Pause over the size of the pool', unit: 'ms', along: 'connections' },
})

function over({ moves }: Moved, x: number, what: string): Outcome[] {
  const label = `${x.toLocaleString('en')} ${what}`
  const line = (series: string, name: string, value: (move: Move) => number): Outcome =>
    median(`${label}: ${name}`, 'ms', of(moves, value), { series, x })
  return [
    {
      ...line('pause', 'pause', ({ pauseMillis }) => pauseMillis),
      remark: `longest of ${moves.length}: ${longest(moves).toFixed(1)} ms; ${written(moves)} writes/s came about`,
    },
    line(
      'added to the longest write',
      'added to the longest write',
      ({ longestMillis, usualMillis }) => longestMillis - usualMillis,
    ),
  ]
}

export const overLong = (all: readonly Moved[]): Part => ({
  title: 'What if a long query is in flight?',
  how: `As above, with ${all[0]?.setting.reads} reads a second besides, and a query that is at work for so long from the beginning of the hold. The pause has to wait for it: the drain's limit is \`drainTimeoutMillis\`, 2.5 s by default. What comes after its end is the library's own.`,
  outcomes: all.flatMap(({ moves, setting: { longMillis } }) => [
    median(
      `${longMillis === 0 ? 'none' : `${longMillis} ms`}: pause`,
      'ms',
      of(moves, ({ pauseMillis }) => pauseMillis),
      { series: 'pause', x: longMillis },
    ),
    ...(longMillis === 0
      ? []
      : [
          median(
            `${longMillis} ms: of it after the end of the query`,
            'ms',
            of(moves, ({ afterLongMillis }) => afterLongMillis ?? Number.NaN),
            { series: 'of it after the query', x: longMillis },
          ),
        ]),
  ]),
  picture: {
    kind: 'lines',
    title: 'Pause over a long query',
    unit: 'ms',
    along: 'milliseconds of the query',
  },
})

export const readsMeanwhile = (all: readonly Moved[]): Part => ({
  title: 'Are reads answered while writes are held?',
  how: `The same moves: ${all[0]?.setting.reads} reads of one row a second by \`pool.query\`. What a read waits for is \`stop-reads\` to \`open\`, and its turn in the release. Reads in a transaction are checkouts and wait like writes.`,
  outcomes: all.flatMap(({ moves, setting: { longMillis } }) => {
    const name = longMillis === 0 ? 'no long query' : `query of ${longMillis} ms`
    return [
      median(
        `${name}: longest read at the pause`,
        'ms',
        of(moves, ({ readMillis }) => readMillis ?? Number.NaN),
      ),
      median(
        `${name}: longest write at the pause`,
        'ms',
        of(moves, ({ longestMillis }) => longestMillis),
      ),
      median(
        `${name}: reads answered within the pause`,
        'reads',
        of(moves, (move) => move.readsMeanwhile),
      ),
    ]
  }),
})

/** Ten moves have been made by then. */
const WARM_FROM = 9

export function theFirst(first: readonly Move[], all: readonly Move[]): Part {
  const warm = all.slice(WARM_FROM)
  const later = warm.length > 0 ? warm : all.slice(1)
  const pause = ({ pauseMillis }: Move): number => pauseMillis
  const added = ({ longestMillis, usualMillis }: Move): number => longestMillis - usualMillis
  return {
    title: 'Is the first move slower?',
    how: `The first move ever of ${first.length} fresh processes, each between two fresh servers, against the ${warm.length > 0 ? 'tenth and later ones' : 'later ones'} of the process above. Connections are opened and what the coordinator needs is read before the hold in both.`,
    outcomes: [
      median('first: pause', 'ms', of(first, pause), { remark: `longest ${longest(first).toFixed(1)} ms` }),
      median('later: pause', 'ms', of(later, pause), { remark: `longest ${longest(later).toFixed(1)} ms` }),
      median('first: added to the longest write', 'ms', of(first, added)),
      median('later: added to the longest write', 'ms', of(later, added)),
    ],
    picture: { kind: 'bars', title: 'The first move and later ones', unit: 'ms' },
  }
}

const of = (moves: readonly Move[], value: (move: Move) => number): number[] => moves.map(value)

const late = (what: string, values: readonly number[], bound: Partial<Outcome> = {}): Outcome => ({
  what,
  unit: 'ms',
  measured: Number(quantile(values, 0.99).toPrecision(4)),
  remark: `${values.length > 100 ? '' : 'the longest '}of ${values.length}`,
  ...bound,
})

const longest = (moves: readonly Move[]): number => Math.max(...of(moves, ({ pauseMillis }) => pauseMillis))

const written = (moves: readonly Move[]): string =>
  Math.round(
    quantile(
      of(moves, ({ writesASecond }) => writesASecond),
      0.5,
    ),
  ).toLocaleString('en')
