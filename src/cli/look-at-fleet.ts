// What the side that writes knows of the processes of the fleet, and what became of the last attempt to change the writer.
import type { Migration } from '../control/migration.js'
import { lastAttempt as readJournal } from '../coordinator/journal.js'
import { listMembers } from '../fleet/roster.js'
import type { StepEvent } from '../events.js'
import type { Member } from '../fleet/words.js'
import type { Side } from '../phase/phases.js'

export interface AttemptStep {
  readonly step: string
  readonly state: StepEvent['state']
  readonly millis: number | null
  readonly detail: string | null
}

export interface LastAttempt {
  /** The side that was to be left. */
  readonly from: Side
  readonly epoch: number
  /** When it began, by that server's clock. */
  readonly at: string
  /** The last word on each step, in order. */
  readonly steps: readonly AttemptStep[]
}

/** Empty where the side has no roster, or its role may not read it. */
export async function membersOf(m: Migration, writer: Side): Promise<Member[]> {
  return (await unlessOutOfReach(listMembers(m.control[writer].run, m.name))) ?? []
}

/** Undefined where nobody has tried yet, or the journal may not be read. Sides that do not answer are left out. */
export async function lastAttempt(m: Migration, sides: readonly Side[]): Promise<LastAttempt | undefined> {
  const found = await Promise.all(sides.map((side) => unlessOutOfReach(attemptOn(m, side))))
  // The two clocks are compared only where the epochs do not tell.
  return found
    .filter((one) => one !== undefined)
    .toSorted((a, b) => b.epoch - a.epoch || b.at.localeCompare(a.at))[0]
}

async function attemptOn(m: Migration, from: Side): Promise<LastAttempt | undefined> {
  const noted = await readJournal(m.control[from].run, m.name)
  const [first] = noted
  if (!first) return undefined
  const steps = new Map<string, AttemptStep>()
  for (const { step, state, millis, detail } of noted)
    steps.set(step, { step, state, millis: millis ?? null, detail: detail ?? null })
  // The first line is written before the epoch is known.
  const epoch = Math.max(...noted.map((line) => line.epoch))
  return { from, epoch, at: first.at, steps: [...steps.values()] }
}

const OUT_OF_REACH: ReadonlySet<unknown> = new Set(['42P01', '3F000', '42501'])

async function unlessOutOfReach<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if (error instanceof Error && 'code' in error && OUT_OF_REACH.has(error.code)) return undefined
    throw error
  }
}
