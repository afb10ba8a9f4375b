// Checks of what one side would take and the other refuse or read otherwise: unique keys, constraints, types.
import { nameAcross } from '../../mirror/mapping.js'
import { ANY_MIRROR, DUAL_WRITE, quoteTable, tablePairs } from './check.js'
import type { Check, Context, Found } from './check.js'
import { nameOf } from './facts.js'
import type { TableFacts, TypeFacts } from './facts.js'

export const ROW_CHECKS = {
  'unique-differs': {
    severity: 'warning',
    why: 'A key that is missing lets duplicates in after the flip, and one that is only there refuses rows that the writing side has taken.',
    mirrors: ANY_MIRROR,
    find: (context) =>
      tablePairs(context).flatMap(({ left, right }) => [
        ...onlyIn(keysOf(left), keysOf(right)).map((definition) =>
          keyFound(context, right, definition, 'missing', 'after the cutover duplicates are let in'),
        ),
        ...onlyIn(keysOf(right), keysOf(left))
          .filter((definition) => !isUnchecked(context, right, definition))
          .map((definition) =>
            keyFound(
              context,
              right,
              definition,
              'extra',
              `a row that is fine on the other side ${stops(context)}`,
            ),
          ),
      ]),
  },
  'unique-unchecked': {
    severity: 'warning',
    why: 'Duplicates get in unseen, and the first UPDATE of one of them after the flip fails.',
    mirrors: DUAL_WRITE,
    find: (context) =>
      tablePairs(context).flatMap(({ left, right }) =>
        onlyIn(keysOf(right), keysOf(left))
          .filter((definition) => isUnchecked(context, right, definition))
          .map((definition) =>
            keyFound(
              context,
              right,
              definition,
              'extra',
              'it is deferrable, which is not checked for the rows that the relay writes, so duplicates get in unseen',
            ),
          ),
      ),
  },
  'constraint-differs': {
    severity: 'warning',
    why: 'A row that the writing side has taken is refused by the other one.',
    mirrors: ANY_MIRROR,
    find: (context) =>
      tablePairs(context).flatMap(({ left, right }) =>
        onlyIn(right.checks, left.checks).map((definition) => ({
          side: context.to,
          object: nameOf(right),
          message: `${nameOf(right)} has the constraint ${definition} on the ${context.to} side only: a row that is fine on the other side ${stops(context)}`,
          fix: `on the ${context.to} side: alter table ${quoteTable(right)} drop constraint … until the migration is over; or add it on the ${context.from} side`,
        })),
      ),
  },
  'enum-differs': {
    severity: 'error',
    why: 'A label that the other side lacks cannot be written there, and another order of labels sorts rows differently.',
    mirrors: ANY_MIRROR,
    find: (context) =>
      typePairs(context, 'e').map(({ left, right }) => ({
        side: context.to,
        object: nameOf(right),
        message: `the labels of ${nameOf(right)} are ${left.parts.join(', ')} on the ${context.from} side and ${right.parts.join(', ')} on the ${context.to} one`,
        fix: `alter type ${nameOf(right)} add value …, in the same order on both sides`,
      })),
  },
  'composite-differs': {
    severity: 'error',
    why: 'Values travel by position: they would land in the wrong attribute, or not at all.',
    mirrors: ANY_MIRROR,
    find: (context) =>
      typePairs(context, 'c').map(({ left, right }) => ({
        side: context.to,
        object: nameOf(right),
        message: `the attributes of ${nameOf(right)} are ${left.parts.join(', ')} on the ${context.from} side and ${right.parts.join(', ')} on the ${context.to} one; its values travel by position`,
        fix: `make the same attributes in the same order: drop the type on the ${context.to} side and create it anew`,
      })),
  },
  'domain-differs': {
    severity: 'warning',
    why: 'A value that one side has taken is refused by the other one.',
    mirrors: ANY_MIRROR,
    find: (context) =>
      typePairs(context, 'd').map(({ left, right }) => ({
        side: context.to,
        object: nameOf(right),
        message: `the domain ${nameOf(right)} is ${domainOf(left)} on the ${context.from} side and ${domainOf(right)} on the ${context.to} one: a value that is fine on one side ${stops(context)} where the other refuses it`,
        fix: `alter domain ${nameOf(right)} …, so that it allows the same on both sides`,
      })),
  },
} as const satisfies Record<string, Check>

const onlyIn = (a: readonly string[], b: readonly string[]): string[] => a.filter((item) => !b.includes(item))

const keysOf = ({ unique, exclusions }: TableFacts): string[] => [...unique, ...exclusions]

/** A replica does not check a deferrable key at all. */
const isUnchecked = ({ relay, to }: Context, table: TableFacts, definition: string): boolean =>
  relay?.ways[to] === 'replica' && table.deferrable.includes(definition)

const stops = ({ m }: Context): string =>
  m.mirror === 'dual-write' ? 'cannot be mirrored, and keeps a cutover from being made' : 'stops the mirror'

/** Those of a kind that both sides have, and that differ. What one side lacks shows in the columns. */
function typePairs({ m, facts, from, to }: Context, kind: string): { left: TypeFacts; right: TypeFacts }[] {
  const rights = new Map(
    facts[to].types.filter((type) => type.kind === kind).map((type) => [nameOf(type), type]),
  )
  return facts[from].types.flatMap((left) => {
    const right = left.kind === kind ? rights.get(nameOf(nameAcross(m, from, left))) : undefined
    return right && JSON.stringify(left.parts) !== JSON.stringify(right.parts) ? [{ left, right }] : []
  })
}

const domainOf = ({ parts }: TypeFacts): string => parts.filter((part) => part !== null).join(' ')

function keyFound(
  { to }: Context,
  table: TableFacts,
  definition: string,
  what: 'missing' | 'extra',
  consequence: string,
): Found {
  const exclusion = definition.startsWith('EXCLUDE')
  const shown = `${nameOf(table)} ${exclusion ? definition : `using ${definition}`}`
  return {
    side: to,
    object: nameOf(table),
    message: `the ${exclusion ? 'constraint' : 'unique index'} on ${shown} is ${what} on the ${to} side: ${consequence}`,
    fix: `${what === 'missing' ? 'create' : 'drop'} it on the ${to} side: ${exclusion ? 'the constraint' : 'unique index'} on ${shown}`,
  }
}
