// Checks of what is around the columns: tables, partitions, keys, enums, extensions, sequences.
import { quoteIdent } from '../../control/names.js'
import { headroomOf, roomOf } from '../../mirror/sequence-target.js'
import { quotedSequence } from '../../mirror/sequence-states.js'
import { bothSides, listed } from './check.js'
import type { Check, Context, Found } from './check.js'
import { tablePairs } from './column-checks.js'
import { nameOf } from './facts.js'
import type { TableFacts } from './facts.js'

const quoted = (table: TableFacts): string => `${quoteIdent(table.schema)}.${quoteIdent(table.name)}`

export const SCHEMA_CHECKS = {
  'table-missing': {
    severity: 'error',
    replication: true,
    find: ({ facts, from, to }) => {
      const there = new Set(facts[to].tables.map(nameOf))
      return facts[from].tables
        .filter((table) => !there.has(nameOf(table)))
        .map((table) => ({
          side: to,
          object: nameOf(table),
          message: `table ${nameOf(table)} is missing on the ${to} side`,
          fix: `create it there: pg_dump --schema-only --table '${quoted(table)}' of the ${from} database, into the ${to} one`,
        }))
    },
  },
  'table-extra': {
    severity: 'error',
    replication: true,
    find: ({ facts, from, to }) => {
      const there = new Set(facts[from].tables.map(nameOf))
      const extra = facts[to].tables.map(nameOf).filter((name) => !there.has(name))
      return extra.length === 0
        ? []
        : [
            {
              side: to,
              object: listed(extra),
              message: `only the ${to} side has ${listed(extra)}; what is written there after the cutover could not be mirrored back`,
              fix: `create it on the ${from} side too, or name the tables in scope`,
            },
          ]
    },
  },
  'partition-differs': {
    severity: 'error',
    replication: true,
    find: (context) =>
      tablePairs(context)
        .filter(({ left, right }) => partitioning(left) !== partitioning(right))
        .map(({ left, right }) => ({
          side: context.to,
          object: nameOf(left),
          message: `table ${nameOf(left)} is ${partitioning(left)} on the ${context.from} side and ${partitioning(right)} on the ${context.to} one; rows travel partition by partition`,
          fix: `make it ${partitioning(left)} on the ${context.to} side`,
        })),
  },
  'unique-differs': {
    severity: 'warning',
    replication: true,
    find: (context) =>
      tablePairs(context).flatMap(({ left, right }) => [
        ...onlyIn(left.unique, right.unique).map((definition) =>
          uniqueFound(context, left, definition, 'missing', 'after the cutover duplicates are let in'),
        ),
        ...onlyIn(right.unique, left.unique).map((definition) =>
          uniqueFound(
            context,
            left,
            definition,
            'extra',
            'a row that is fine on the other side stops the mirror',
          ),
        ),
      ]),
  },
  'replica-identity': {
    severity: 'error',
    replication: true,
    find: (context) =>
      bothSides(context, ({ tables }, side) =>
        tables.filter(hasNoIdentity).map((table) => ({
          side,
          object: nameOf(table),
          message: `table ${nameOf(table)} has no replica identity on the ${side} side: once published, every UPDATE and DELETE on it would fail there`,
          fix: `alter table ${quoted(table)} add primary key (…); or alter table ${quoted(table)} replica identity full`,
        })),
      ),
  },
  'enum-differs': {
    severity: 'error',
    replication: true,
    find: ({ facts, from, to }) =>
      Object.entries(facts[from].enums).flatMap(([type, labels]) => {
        const others = facts[to].enums[type]
        if (!others || others.join('\0') === labels.join('\0')) return []
        return [
          {
            side: to,
            object: type,
            message: `the labels of ${type} are ${labels.join(', ')} on the ${from} side and ${others.join(', ')} on the ${to} one`,
            fix: `alter type ${type} add value …, in the same order on both sides`,
          },
        ]
      }),
  },
  'extension-missing': {
    severity: 'error',
    // The way back must not be shut by what only the new side has.
    stage: 'mirror',
    find: ({ facts, from, to }) => {
      const there = new Set(facts[to].extensions.map(({ name }) => name))
      return facts[from].extensions
        .filter(({ name }) => !there.has(name))
        .map(({ name, version }) => ({
          side: to,
          object: name,
          message: `extension ${name} ${version} is missing on the ${to} side`,
          fix: `create extension ${quoteIdent(name)}`,
        }))
    },
  },
  'sequence-missing': {
    severity: 'error',
    replication: true,
    find: ({ sequences, to }) =>
      sequences
        .filter(({ right }) => right === undefined)
        .map(({ left }) => ({
          side: to,
          object: nameOf(left),
          message: `sequence ${nameOf(left)} is missing on the ${to} side`,
          fix: `create sequence ${quotedSequence(left)} increment ${left.increment} minvalue ${left.min} maxvalue ${left.max} cache ${left.cache}${left.cycle ? ' cycle' : ''}`,
        })),
  },
  'sequence-extra': {
    severity: 'error',
    replication: true,
    find: ({ extraSequences, from, to }) =>
      extraSequences.length === 0
        ? []
        : [
            {
              side: to,
              object: listed(extraSequences),
              message: `only the ${to} side has the sequences ${listed(extraSequences)}, so there would be no way back`,
              fix: `create them on the ${from} side too, or drop them on the ${to} side`,
            },
          ],
  },
  'sequence-out-of-range': {
    severity: 'error',
    replication: true,
    find: ({ sequences, to }) =>
      sequences.flatMap(({ left, right }) =>
        right && !left.cycle && roomOf(left, right) === 0n && roomOf(left, left) > 0n
          ? [
              {
                side: to,
                object: nameOf(left),
                message: `sequence ${nameOf(left)} stands at ${left.last}, which is out of the range of the ${to} side (${right.min} to ${right.max})`,
                fix: `on the ${to} side: alter sequence ${quotedSequence(left)} as bigint minvalue ${left.min} maxvalue ${left.max}`,
              },
            ]
          : [],
      ),
  },
  'sequence-room': {
    severity: 'warning',
    replication: true,
    find: ({ sequences, to }) =>
      sequences.flatMap(({ left, right }) => {
        const room = right && roomOf(left, right)
        if (room === undefined || left.cycle || room >= 2n * headroomOf(left)) return []
        if (room === 0n && roomOf(left, left) > 0n) return []
        return [
          {
            side: to,
            object: nameOf(left),
            message: `sequence ${nameOf(left)} has ${room} values left on the ${to} side, too few for the usual headroom of ${headroomOf(left)}`,
            fix: `on the ${to} side: alter sequence ${quotedSequence(left)} as bigint no maxvalue`,
          },
        ]
      }),
  },
  'sequence-differs': {
    severity: 'error',
    replication: true,
    find: ({ sequences, from, to }) =>
      sequences.flatMap(({ left, right }) =>
        right && (left.increment !== right.increment || left.cycle !== right.cycle)
          ? [
              {
                side: to,
                object: nameOf(left),
                message: `sequence ${nameOf(left)} counts by ${left.increment}${left.cycle ? ' in a circle' : ''} on the ${from} side and by ${right.increment}${right.cycle ? ' in a circle' : ''} on the ${to} one`,
                fix: `on the ${to} side: alter sequence ${quotedSequence(left)} increment ${left.increment} ${left.cycle ? 'cycle' : 'no cycle'}`,
              },
            ]
          : [],
      ),
  },
} as const satisfies Record<string, Check>

function hasNoIdentity(table: TableFacts): boolean {
  if (table.kind === 'p') return false
  return table.replicaIdentity === 'n' || (table.replicaIdentity === 'd' && !table.hasPrimaryKey)
}

function partitioning(table: TableFacts): string {
  const parts = [
    table.partitionKey === null ? undefined : `partitioned by ${table.partitionKey}`,
    table.parents.length === 0 ? undefined : `a child of ${table.parents.join(', ')}`,
    table.partitionBound === null ? undefined : table.partitionBound,
  ].filter((part) => part !== undefined)
  return parts.length === 0 ? 'an ordinary table' : parts.join(' ')
}

const onlyIn = (a: readonly string[], b: readonly string[]): string[] => a.filter((item) => !b.includes(item))

const uniqueFound = (
  { to }: Context,
  table: TableFacts,
  definition: string,
  what: string,
  consequence: string,
): Found => ({
  side: to,
  object: nameOf(table),
  message: `the unique index on ${definition} is ${what} on the ${to} side: ${consequence}`,
  fix: `${what === 'missing' ? 'create' : 'drop'} it on the ${to} side: unique index on ${definition}`,
})
