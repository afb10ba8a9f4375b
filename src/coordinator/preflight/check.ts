// What a check is given and what it gives: pure functions over facts, so that each can be read and tested alone.
import type { Migration } from '../../control/migration.js'
import { quoteIdent } from '../../control/names.js'
import { nameAcross, type TableName } from '../../mirror/mapping.js'
import type { KnownSequence } from '../../mirror/sequence-states.js'
import type { Side } from '../../phase/phases.js'
import { nameOf } from './facts.js'
import type { GrantFacts, SideFacts, TableFacts } from './facts.js'
import type { Finding, Stage } from './finding.js'
import type { RelayFacts } from './relay-facts.js'

export interface Context {
  readonly m: Pick<Migration, 'name' | 'tables' | 'mirror' | 'dualWrite' | 'poolRoles'>
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
  /** Where the mirror is one by dual-write. */
  readonly relay: RelayFacts | undefined
  readonly jobs: Readonly<Record<Side, readonly string[]>>
  /** What roles have on the side `from` and lack on `to`, by the names there. */
  readonly lackingGrants: readonly LackingGrant[]
  /** The GRANTs by which the pool's role would be a member. */
  readonly memberGrants: Readonly<Record<Side, readonly string[]>>
}

export interface LackingGrant extends GrantFacts {
  readonly roleMissing: boolean
}

export interface SequencePair {
  readonly left: KnownSequence
  /** Undefined where the other side lacks it. */
  readonly right: KnownSequence | undefined
}

export type Found = Omit<Finding, 'code' | 'severity' | 'why'>

export interface Check {
  readonly severity: Finding['severity']
  /** The same for each finding of the check; docs/preflight.md prints it. */
  readonly why: string
  /** Where it is left out otherwise it runs at both stages. */
  readonly stage?: Stage
  /** The mirrors that it matters to. Where it is left out it matters without a mirror too. */
  readonly mirrors?: readonly Migration['mirror'][]
  readonly find: (context: Context) => readonly Found[]
}

export const REPLICATION = ['replication'] as const
export const DUAL_WRITE = ['dual-write'] as const
export const ANY_MIRROR = ['replication', 'dual-write'] as const

/** Without a mirror, and with one that renames nothing, an object has the same name on both sides. */
export const keepsNames = ({ m }: Context): boolean => Object.keys(m.dualWrite.mapped).length === 0

/** Where only some tables are in scope, nobody knows what else should be on both sides. */
export const isWhole = (context: Context): boolean => context.m.tables === undefined && keepsNames(context)

/** Tables that are on both sides, whatever they are called there. */
export function tablePairs({ m, facts, from, to }: Context): { left: TableFacts; right: TableFacts }[] {
  const rights = new Map(facts[to].tables.map((table) => [nameOf(table), table]))
  return facts[from].tables.flatMap((left) => {
    const right = rights.get(nameOf(nameAcross(m, from, left)))
    return right ? [{ left, right }] : []
  })
}

export const quoteTable = (table: TableName): string =>
  `${quoteIdent(table.schema)}.${quoteIdent(table.name)}`

export const bothSides = (
  context: Context,
  find: (facts: SideFacts, side: Side) => readonly Found[],
): Found[] => [
  ...find(context.facts[context.from], context.from),
  ...find(context.facts[context.to], context.to),
]

/** One finding for all objects of a side. */
export const about = (
  context: Context,
  objects: (facts: SideFacts) => readonly string[],
  message: (names: string, side: Side) => string,
  fix: (names: readonly string[]) => string,
): Found[] =>
  bothSides(context, (facts, side) => {
    const found = objects(facts)
    if (found.length === 0) return []
    return [{ side, object: listed(found), message: message(listed(found), side), fix: fix(found) }]
  })

/** At most one finding a side: the objects in one list, since a hundred findings are read by nobody. */
export const listed = (objects: readonly string[]): string =>
  objects.slice(0, 10).join(', ') + (objects.length > 10 ? ` and ${objects.length - 10} more` : '')
