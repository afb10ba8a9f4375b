// Checks of columns that only one side has.
import { quoteIdent } from '../../control/names.js'
import type { Side } from '../../phase/phases.js'
import { ANY_MIRROR, DUAL_WRITE, quoteTable, tablePairs } from './check.js'
import type { Check, Context, Found } from './check.js'
import { fills } from './column-checks.js'
import { nameOf } from './facts.js'
import type { ColumnFacts, TableFacts } from './facts.js'

interface LackingColumn {
  readonly table: TableFacts
  readonly other: TableFacts
  readonly column: ColumnFacts
}

const missing = (context: Context): LackingColumn[] =>
  tablePairs(context).flatMap(({ left, right }) =>
    lacking(left, right).map((column) => ({ table: right, other: left, column })),
  )

const extra = (context: Context): LackingColumn[] =>
  tablePairs(context).flatMap(({ left, right }) =>
    lacking(right, left).map((column) => ({ table: right, other: left, column })),
  )

const isRequired = (column: ColumnFacts): boolean => column.notNull && !fills(column)

/**
 * A relay carries the columns that both sides have, so that one side may have more. But never the old one alone on the way
 * out, since its values would be lost with it.
 */
const isLeftOut = ({ m, from }: Context, how: 'missing' | 'extra', column: ColumnFacts): boolean =>
  m.mirror === 'dual-write' && (how === 'missing' ? from === 'new' : !isRequired(column))

const leftOut = (side: Side, table: TableFacts, column: ColumnFacts): Found => ({
  side,
  object: `${nameOf(table)}.${column.name}`,
  message: `column ${nameOf(table)}.${column.name} is on the ${side} side only: its values are not carried over, and a row that is written again from the other side may lose them`,
  fix: 'add it on the other side too, or see that nobody needs what is in it after a rollback',
})

/** Columns of `a` that `b` lacks. Generated ones are not mirrored, so only the side that has them needs them. */
const lacking = (a: TableFacts, b: TableFacts): ColumnFacts[] =>
  a.columns.filter((column) => column.generated === '' && !b.columns.some(({ name }) => name === column.name))

export const COLUMN_PRESENCE_CHECKS = {
  'column-missing': {
    severity: 'error',
    why: 'There is no place for its values: the mirror stops, or they would be lost.',
    mirrors: ANY_MIRROR,
    find: (context) =>
      missing(context)
        .filter(({ column }) => !isLeftOut(context, 'missing', column))
        .map(({ table, column }) => ({
          side: context.to,
          object: `${nameOf(table)}.${column.name}`,
          message: `column ${nameOf(table)}.${column.name} is missing on the ${context.to} side`,
          fix: `on the ${context.to} side: alter table ${quoteTable(table)} add column ${quoteIdent(column.name)} ${column.type}`,
        })),
  },
  'column-extra': {
    severity: 'error',
    why: 'A row cannot be copied without a value for it, or its values cannot come back: the mirror in one of the two directions stops.',
    mirrors: ANY_MIRROR,
    find: (context) =>
      extra(context)
        .filter(({ column }) => !isLeftOut(context, 'extra', column))
        .map(({ table, other, column }) => ({
          side: context.to,
          object: `${nameOf(table)}.${column.name}`,
          message: isRequired(column)
            ? `column ${nameOf(table)}.${column.name} is on the ${context.to} side only and NOT NULL without a default, so no row can be copied`
            : `column ${nameOf(table)}.${column.name} is on the ${context.to} side only, so the mirror back would stop`,
          fix: `on the ${context.from} side: alter table ${quoteTable(other)} add column ${quoteIdent(column.name)} ${column.type}; or drop it on the ${context.to} side until the migration is over`,
        })),
  },
  'column-left-out': {
    severity: 'warning',
    why: 'What is in it stays on one side. After a cutover or a rollback it is missing, or old.',
    mirrors: DUAL_WRITE,
    find: (context) => {
      const { from, to } = context
      return [
        ...missing(context)
          .filter(({ column }) => isLeftOut(context, 'missing', column))
          .map(({ other, column }) => leftOut(from, other, column)),
        ...extra(context)
          .filter(({ column }) => isLeftOut(context, 'extra', column))
          .map(({ table, column }) => leftOut(to, table, column)),
      ]
    },
  },
} as const satisfies Record<string, Check>
