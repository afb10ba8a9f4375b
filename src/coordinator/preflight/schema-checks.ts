// Checks of what is around the columns: tables, partitions, replica identities, extensions.
import { nameAcross } from '../../mirror/mapping.js'
import { ANY_MIRROR, bothSides, listed, quoteTable, REPLICATION, tablePairs } from './check.js'
import type { Check, Context } from './check.js'
import { nameOf } from './facts.js'
import type { TableFacts } from './facts.js'
import { createExtension } from './managed.js'

/** A relay writes to the root: the other side may be divided in another way, or not at all. */
const needsCounterpart = (m: Context['m'], table: TableFacts): boolean =>
  m.mirror !== 'dual-write' || table.partitionBound === null

export const SCHEMA_CHECKS = {
  'table-missing': {
    severity: 'error',
    why: 'The mirror stops at the first row of a table that it does not find.',
    mirrors: ANY_MIRROR,
    find: ({ m, facts, from, to }) => {
      const there = new Set(facts[to].tables.map(nameOf))
      return facts[from].tables
        .filter((table) => needsCounterpart(m, table))
        .map((table) => ({ table, across: nameAcross(m, from, table) }))
        .filter(({ across }) => !there.has(nameOf(across)))
        .map(({ table, across }) => ({
          side: to,
          object: nameOf(across),
          message: `table ${nameOf(across)} is missing on the ${to} side`,
          fix: `create it there: pg_dump --schema-only --table '${quoteTable(table)}' of the ${from} database, into the ${to} one${nameOf(across) === nameOf(table) ? '' : ' under its other name'}`,
        }))
    },
  },
  'table-extra': {
    severity: 'error',
    why: 'Rows that are written to it after the cutover would be lost by a rollback.',
    mirrors: ANY_MIRROR,
    find: ({ m, facts, from, to }) => {
      const there = new Set(facts[from].tables.map((table) => nameOf(nameAcross(m, from, table))))
      const extra = facts[to].tables
        .filter((table) => needsCounterpart(m, table))
        .map(nameOf)
        .filter((name) => !there.has(name))
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
    why: 'Replication writes each partition into the one of the same name. A row without its partition there stops the mirror.',
    mirrors: REPLICATION,
    find: (context) =>
      tablePairs(context)
        .filter(({ left, right }) => partitioning(left) !== partitioning(right))
        .map(({ left, right }) => ({
          side: context.to,
          object: nameOf(right),
          message: `table ${nameOf(right)} is ${partitioning(left)} on the ${context.from} side and ${partitioning(right)} on the ${context.to} one; rows travel partition by partition`,
          fix: `make it ${partitioning(left)} on the ${context.to} side`,
        })),
  },
  'replica-identity': {
    severity: 'error',
    why: 'Once the table is published Postgres refuses every UPDATE and DELETE on it: the application fails at once, before any cutover.',
    mirrors: REPLICATION,
    find: (context) =>
      bothSides(context, ({ tables }, side) =>
        tables.filter(hasNoIdentity).map((table) => ({
          side,
          object: nameOf(table),
          message: `table ${nameOf(table)} has no replica identity on the ${side} side: once published, every UPDATE and DELETE on it would fail there`,
          fix: `alter table ${quoteTable(table)} add primary key (…); or alter table ${quoteTable(table)} replica identity full`,
        })),
      ),
  },
  'extension-missing': {
    severity: 'error',
    why: 'Its types, functions and operators are missing. Rows with its types stop the mirror, and queries that use it fail after the flip.',
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
          fix: createExtension(facts[to], name),
        }))
    },
  },
} as const satisfies Record<string, Check>

function hasNoIdentity(table: TableFacts): boolean {
  if (table.kind === 'p') return false
  return table.replicaIdentity === 'n' || (table.replicaIdentity === 'd' && !table.hasPrimaryKey)
}

export function partitioning(table: TableFacts): string {
  const parts = [
    table.partitionKey === null ? undefined : `partitioned by ${table.partitionKey}`,
    table.parents.length === 0 ? undefined : `a child of ${table.parents.join(', ')}`,
    table.partitionBound === null ? undefined : table.partitionBound,
  ].filter((part) => part !== undefined)
  return parts.length === 0 ? 'an ordinary table' : parts.join(' ')
}
