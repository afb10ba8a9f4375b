// What a check is given and what it gives: pure functions over facts, so that each can be read and tested alone.
import type { Migration } from '../../control/migration.js'
import type { Side } from '../../phase/phases.js'
import type { SequenceState } from '../../mirror/sequence-target.js'
import type { SideFacts, TableFacts } from './facts.js'
import type { Finding, Stage } from './finding.js'

export interface Context {
  readonly m: Pick<Migration, 'name' | 'tables' | 'mirror'>
  /** The side that writes now, and the other one. */
  readonly from: Side
  readonly to: Side
  readonly stage: Stage
  readonly facts: Readonly<Record<Side, SideFacts>>
  readonly sequences: readonly SequencePair[]
  /** Sequences that only the side `to` has. */
  readonly extraSequences: readonly string[]
  /** Tables of the side `to` that have rows although nothing was copied into them yet. */
  readonly filled: readonly TableFacts[]
}

export interface SequencePair {
  readonly left: SequenceState
  /** Undefined where the other side lacks it. */
  readonly right: SequenceState | undefined
}

export type Found = Omit<Finding, 'code' | 'severity'>

export interface Check {
  readonly severity: Finding['severity']
  /** Where it is left out otherwise it runs at both stages. */
  readonly stage?: Stage
  /** Only matters to the replication mirror. */
  readonly replication?: true
  readonly find: (context: Context) => readonly Found[]
}

export const bothSides = (
  context: Context,
  find: (facts: SideFacts, side: Side) => readonly Found[],
): Found[] => [
  ...find(context.facts[context.from], context.from),
  ...find(context.facts[context.to], context.to),
]

/** At most one finding a side: the objects in one list, since a hundred findings are read by nobody. */
export const listed = (objects: readonly string[]): string =>
  objects.slice(0, 10).join(', ') + (objects.length > 10 ? ` and ${objects.length - 10} more` : '')
