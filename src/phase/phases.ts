// The table of phases: where a migration can rest, and what each phase does with reads and writes.
import { CutoverError } from '../errors.js'

/** A database's identity, fixed for the whole migration. Which one takes writes is the phase's business. */
export type Side = 'old' | 'new'

export const otherSide = (side: Side): Side => (side === 'old' ? 'new' : 'old')

/** One row of the phase table. */
export interface PhaseRow {
  /** The name of the same stage in LaunchDarkly's migration flags; it parses as this phase too. */
  readonly stage: string
  readonly reads: Side
  readonly writes: Side
  /** The side that is kept equal to the writer, if any. */
  readonly mirroredTo: Side | undefined
  /** Whether sampled reads are compared on both sides. */
  readonly compared: boolean
}

export const PHASES = {
  old: { stage: 'off', reads: 'old', writes: 'old', mirroredTo: undefined, compared: false },
  mirror: { stage: 'dualwrite', reads: 'old', writes: 'old', mirroredTo: 'new', compared: false },
  shadow: { stage: 'shadow', reads: 'old', writes: 'old', mirroredTo: 'new', compared: true },
  live: { stage: 'live', reads: 'new', writes: 'new', mirroredTo: 'old', compared: true },
  rampdown: { stage: 'rampdown', reads: 'new', writes: 'new', mirroredTo: 'old', compared: false },
  new: { stage: 'complete', reads: 'new', writes: 'new', mirroredTo: undefined, compared: false },
} as const satisfies Record<string, PhaseRow>

/** Where a migration rests. The writer changes in one place only: between `shadow` and `live`. */
export type Phase = keyof typeof PHASES

/** What a source may ask for: a phase, or to stay at the last one with new work waiting. */
export type Wish = Phase | 'hold'

export const PHASE_NAMES = Object.keys(PHASES) as readonly Phase[]

const byName: ReadonlyMap<string, Phase> = new Map(
  PHASE_NAMES.flatMap((phase) => [
    [phase, phase],
    [PHASES[phase].stage, phase],
  ]),
)

/** The side that takes writes in this phase. */
export const writerOf = (phase: Phase): Side => PHASES[phase].writes

/**
 * Reads a phase, a LaunchDarkly stage name or `hold` out of anything.
 * Throws `ERR_SOURCE_VALUE` naming the value and the spellings that are accepted.
 */
export function parseWish(value: unknown): Wish {
  if (value === 'hold') return 'hold'
  const phase = typeof value === 'string' ? byName.get(value) : undefined
  if (phase !== undefined) return phase
  throw new CutoverError(
    'ERR_SOURCE_VALUE',
    `${describeValue(value)} is no phase; expected one of ${[...byName.keys(), 'hold'].join(', ')}`,
  )
}

/** Like {@link parseWish} without `hold`. */
export function parsePhase(value: unknown): Phase {
  const wish = parseWish(value)
  if (wish !== 'hold') return wish
  throw new CutoverError(
    'ERR_SOURCE_VALUE',
    `"hold" is no phase to rest in; expected one of ${PHASE_NAMES.join(', ')}`,
  )
}

/** A value of a source, short enough for a message. */
export function describeValue(value: unknown): string {
  if (typeof value === 'string') return `"${value.slice(0, 60)}"`
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return value === null ? 'null' : `a value of type ${typeof value}`
}
