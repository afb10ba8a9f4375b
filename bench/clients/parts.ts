// What the libraries' figures say, question by question.
import { ratio, shown, type Outcome } from '../outcome.js'
import type { Paired } from '../paired.js'
import type { Part } from '../report.js'
import { MAX } from './contender.js'
import type { Other } from './libraries.js'

/** Callers at a time, where there are many. */
export const MANY = 64

export const KINDS = ['micros', 'cpuMicros'] as const
export type Cost = Readonly<Record<(typeof KINDS)[number], number>>

export interface Sizes {
  readonly quads: number
  /** Queries of a slice with one caller, and with many. */
  readonly alone: number
  readonly together: number
}

export type Pairs = Readonly<Record<'alone' | 'together', Readonly<Record<keyof Cost, Paired>>>>

export interface Measured {
  readonly other: Other
  /** The library's stock pool to the other one, and to itself. */
  readonly added: Pairs
  readonly same: Pairs
}

const MOST = 1.02

export const partsOf = (measured: readonly Measured[], sizes: Sizes): readonly Part[] => [
  {
    title: 'What does a query through a library cost on the facade?',
    how: `A read of one row by its key through each library, on the facade at rest as the examples open it, for each of the same on its
stock pool: CPU time of this process a query, with ${MANY} callers, ${MAX} connections each and a real server. ${quads(sizes)} of ${sizes.together} queries a
slice. Against itself is the stock pool with a second one.`,
    outcomes: measured.map((one) => outcome(one, 'together', 'cpuMicros', MOST)),
    picture: bars('CPU time of a query on the facade, for each on the stock pool'),
    notes: [
      '`Prisma, pinned` is with the extension that keeps each operation on one side, as the example opens it. What any extension of the queries of Prisma adds is in the line of one that only asks on, and Prisma has an extension of its own for read replicas.',
    ],
  },
  {
    title: `How long does a query through a library take on the facade, with ${MANY} callers?`,
    how: `The same slices: their time, from the first query to the last answer, a query.`,
    outcomes: measured.map((one) => outcome(one, 'together', 'micros', MOST)),
    picture: bars(`Time of a query on the facade with ${MANY} callers, for each on the stock pool`),
  },
  {
    title: 'How long does a query through a library take on the facade, with one caller?',
    how: `The same with one caller, ${sizes.alone} queries a slice.`,
    outcomes: measured.map((one) => outcome(one, 'alone', 'micros')),
    picture: bars('Time of a query on the facade with one caller, for each on the stock pool'),
    notes: [`The limit is for ${MANY} callers.`],
  },
]

const quads = ({ quads: count }: Sizes): string => `${count} quads A B B A`

const bars = (title: string) => ({ kind: 'bars', title, unit: '×' }) as const

function outcome(
  { other, added, same }: Measured,
  callers: keyof Pairs,
  kind: keyof Cost,
  most?: number,
): Outcome {
  const pair = added[callers][kind]
  return ratio(other.name, pair, same[callers][kind], {
    ...(most !== undefined && other.onFacade && { most }),
    remark: `${shown(Number(pair.medianA.toPrecision(3)))} µs on the stock pool`,
  })
}
