// Checks of what a relay cannot pass on, and of what would keep a change out of the record: only for a mirror by dual-write.
import { quoteIdent } from '../../control/names.js'
import type { Unmirrored } from '../../dual-write/tables.js'
import { nameAcross } from '../../mirror/mapping.js'
import { about, bothSides, DUAL_WRITE, listed, quoteTable, tablePairs } from './check.js'
import type { Check, Context, Found } from './check.js'
import { nameOf } from './facts.js'
import type { RuleFacts, TableFacts } from './facts.js'
import { partitioning } from './schema-checks.js'

export const RELAY_CHECKS = {
  // Of one direction only: a key by which a table is mirrored is one on both sides, and so serves the way back.
  'key-missing': {
    severity: 'error',
    why: 'A change is recorded by the key of its row. Without one an UPDATE or DELETE could not be carried over.',
    mirrors: DUAL_WRITE,
    find: (context) =>
      unmirrored(context, 'no key').map(({ table }) => ({
        side: context.from,
        object: nameOf(table),
        message: `table ${nameOf(table)} has no key by which a change could be recorded: neither a primary key nor a unique index, without a condition, of plain columns that are NOT NULL`,
        fix: `alter table ${quoteTable(table)} add primary key (…), on both sides`,
      })),
  },
  'key-differs': {
    severity: 'error',
    why: 'The relay finds a row by its key. If the key is not unique there, it would change several rows, or none.',
    mirrors: DUAL_WRITE,
    find: (context) => [
      ...unmirrored(context, 'key is not unique there').map((one) => keyDiffers(context, one, 'not unique')),
      ...unmirrored(context, 'key is not there').map((one) =>
        keyDiffers(context, one, 'not an ordinary column'),
      ),
    ],
  },
  'key-collation': {
    severity: 'error',
    why: 'Two rows of one side would be one of the other, and the later one would overwrite the earlier.',
    mirrors: DUAL_WRITE,
    find: (context) =>
      (context.relay?.mirrored.tables ?? []).flatMap(({ from, to, key }) =>
        key
          .filter(
            ({ name }) =>
              isExact(context, context.from, from, name) !== isExact(context, context.to, to, name),
          )
          .map(({ name }) => ({
            side: context.to,
            object: `${nameOf(to)}.${name}`,
            message: `column ${nameOf(to)}.${name} is part of the key, and by its collation only one of the sides takes different texts for equal: two rows of one side would be one of the other`,
            fix: `on the ${context.to} side: alter table ${quoteTable(to)} alter column ${quoteIdent(name)} type … collate …, as on the ${context.from} one`,
          })),
      ),
  },
  'partition-layout': {
    severity: 'warning',
    why: 'A row that fits into no partition of the other side is set apart and keeps a cutover from being made.',
    mirrors: DUAL_WRITE,
    find: (context) =>
      tablePairs(context)
        .filter(({ left, right }) => partitioning(left) !== partitioning(right))
        .map(({ left, right }) => ({
          side: context.to,
          object: nameOf(right),
          message: `table ${nameOf(right)} is ${partitioning(left)} on the ${context.from} side and ${partitioning(right)} on the ${context.to} one; a row that fits into no partition there cannot be mirrored`,
          fix: `see that every row has its partition on the ${context.to} side: create table … partition of ${quoteTable(right)} default`,
        })),
  },
  'partition-ddl': {
    severity: 'warning',
    why: 'Rows that come or go with a partition are on no record, so the other side keeps or lacks them.',
    mirrors: DUAL_WRITE,
    find: (context) => {
      const { facts, from } = context
      const roots = facts[from].tables.filter((table) => table.kind === 'p' && table.partitionBound === null)
      if (roots.length === 0) return []
      const object = listed(roots.map(nameOf))
      return [
        {
          side: from,
          object,
          message: `${object} on the ${from} side is partitioned: ATTACH, DETACH and DROP of a partition fire no trigger, so the rows that come or go with it are not recorded`,
          fix: 'create and attach partitions empty, on both sides, and delete rows by DELETE or TRUNCATE, for the time of the migration',
        },
      ]
    },
  },
  'rule-on-table': {
    severity: 'error',
    why: 'The rule changes or drops what the relay writes, and Postgres refuses INSERT with ON CONFLICT on a table with a rule for UPDATE.',
    mirrors: DUAL_WRITE,
    find: (context) =>
      bothSides(context, ({ tables }, side) =>
        tables.flatMap((table) =>
          table.rules
            .filter((rule) => meetsRelay(rule, context.relay?.ways[side] === 'plain'))
            .map(({ name }) => ({
              side,
              object: `${name} on ${nameOf(table)}`,
              message: `the rule ${name} on ${nameOf(table)} of the ${side} side rewrites what the relay writes there, or has it refused`,
              fix: `drop rule ${quoteIdent(name)} on ${quoteTable(table)}; a trigger can do the same`,
            })),
        ),
      ),
  },
  'trigger-for-relay': {
    severity: 'error',
    why: 'The trigger can change or drop the mirrored row, and does its work a second time.',
    mirrors: DUAL_WRITE,
    find: (context) =>
      bothSides(context, ({ tables }, side) =>
        tables.flatMap((table) =>
          table.alwaysTriggers.map((name) => ({
            side,
            object: `${name} on ${nameOf(table)}`,
            message: `the trigger ${name} on ${nameOf(table)} of the ${side} side fires for what the relay writes there too, and can change or drop it`,
            fix: `alter table ${quoteTable(table)} enable trigger ${quoteIdent(name)} (instead of enable always or enable replica)`,
          })),
        ),
      ),
  },
  'capture-gap': {
    severity: 'warning',
    why: 'Changes that were made meanwhile are on no record. The table has to be copied again before a cutover.',
    mirrors: DUAL_WRITE,
    find: ({ relay, from }) =>
      (relay?.gaps ?? []).map(({ table, fault }) => ({
        side: from,
        object: nameOf(table.from),
        message: `changes of ${nameOf(table.from)} on the ${from} side are not all recorded (${fault}); the table is brought over anew`,
        fix: 'keep from alter table … disable trigger all (and pg_restore --disable-triggers), and wait until that has ended',
      })),
  },
  'capture-bypassed': {
    severity: 'warning',
    why: 'While triggers are off, changes are on no record and the other side does not get them.',
    mirrors: DUAL_WRITE,
    find: (context) =>
      about(
        context,
        ({ silencers }) => silencers,
        (names, side) =>
          `${names} on the ${side} side switch triggers off, and with them the record: what is written meanwhile is not mirrored`,
        () => 'do not run them for the time of the migration',
      ),
  },
} as const satisfies Record<string, Check>

const unmirrored = ({ relay }: Context, why: Unmirrored['why']): readonly Unmirrored[] =>
  (relay?.mirrored.unmirrored ?? []).filter((table) => table.why === why)

function keyDiffers({ m, from, to }: Context, { table, key }: Unmirrored, what: string): Found {
  const across = nameAcross(m, from, table)
  const columns = key.map(quoteIdent).join(', ')
  return {
    side: to,
    object: nameOf(across),
    message: `the key (${key.join(', ')}) of ${nameOf(table)} on the ${from} side is ${what} on the ${to} one, where the relay would find its rows by it`,
    fix: `on the ${to} side: alter table ${quoteTable(across)} add primary key (${columns}); or a unique index on (${columns}), each of them an ordinary column and NOT NULL`,
  }
}

const isExact = (
  { facts }: Context,
  side: Context['from'],
  at: Pick<TableFacts, 'schema' | 'name'>,
  column: string,
): boolean =>
  facts[side].tables
    .find((table) => nameOf(table) === nameOf(at))
    ?.columns.find(({ name }) => name === column)?.exact !== false

/** A rule for UPDATE keeps INSERT … ON CONFLICT from being planned, even where it is disabled. */
const meetsRelay = ({ update, enabled }: RuleFacts, plain: boolean): boolean =>
  update || (plain ? enabled !== 'D' && enabled !== 'R' : enabled === 'A' || enabled === 'R')
