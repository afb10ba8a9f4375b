// The table of steps and faults: which cells a run tries, in an order by its seed, and what came out of each.
import { STEPS } from '../../src/coordinator/steps.js'
import type { Case, Verdict } from './chaos-case.js'
import { FAULTS } from './chaos-faults.js'
import { seededRandom } from '../support/seeded-random.js'

/** Each cell once, before any of them a second time. */
export function* casesOf(seed: number): Generator<Case, never> {
  const cells = STEPS.flatMap(({ name: step }) => [...FAULTS.keys()].map((fault) => ({ step, fault })))
  for (let round = 0; ; round++) yield* inSomeOrder(cells, seed + round)
}

export function* inSomeOrder<T>(all: readonly T[], seed: number): Generator<T, void> {
  const random = seededRandom(seed)
  const left = [...all]
  while (left.length > 0) yield* left.splice(Math.floor(random() * left.length), 1)
}

const LETTERS: Readonly<Record<Verdict['outcome'], string>> = {
  done: 'd',
  aborted: 'a',
  'recovered forward': 'f',
  'recovered back': 'b',
  'not reached': '-',
}

/** A line for each fault, a column for each step, a letter for each case. */
export function tableOf(verdicts: readonly Verdict[]): string {
  const steps = STEPS.map(({ name }) => name)
  const width = Math.max(...[...FAULTS.keys()].map((fault) => fault.length))
  const lines = [...FAULTS.keys()].flatMap((fault) => {
    const mine = verdicts.filter((verdict) => verdict.fault === fault)
    if (mine.length === 0) return []
    const cells = steps.map((step) =>
      mine
        .filter((verdict) => verdict.step === step)
        .map(({ outcome, wrong }) => LETTERS[outcome] + (wrong.length > 0 ? '!' : ''))
        .join('')
        .padEnd(step.length),
    )
    return [`${fault.padEnd(width)}  ${cells.join('  ')}`.trimEnd()]
  })
  const key = Object.entries(LETTERS).map(([outcome, letter]) => `${letter} ${outcome}`)
  return [`${''.padEnd(width)}  ${steps.join('  ')}`, ...lines, `${key.join(', ')}, ! a violation`].join('\n')
}
