// Finds tables of the side to be mirrored to that have rows which no copy of this migration has brought.
import type { Run } from '../../control/control-connection.js'
import { streamName } from '../../control/names.js'
import { quoteTable, tablePairs } from './check.js'
import type { Context } from './check.js'
import { nameOf } from './facts.js'
import type { TableFacts } from './facts.js'

export async function filledTables(context: Context, run: Run): Promise<TableFacts[]> {
  const { facts, relay, to } = context
  const uncopied = relay ? withoutBackfill(context, relay.begun) : withoutSubscription(context)
  // What may not be read has a finding of its own.
  const tables = uncopied.filter(
    ({ owned, schema, lackingRights }) =>
      owned && !lackingRights.includes('select') && !facts[to].lockedSchemas.includes(schema),
  )
  const rows = tables.map(
    (table) => `exists (select from ${table.kind === 'p' ? '' : 'only '}${quoteTable(table)})`,
  )
  const [row] = await run<{ filled: boolean[] }>(`select array[${rows.join(', ')}]::bool[] as filled`)
  return tables.filter((_, index) => row?.filled[index] === true)
}

/** A table that the subscription has already is being copied, or was. */
function withoutSubscription(context: Context): TableFacts[] {
  const { m, from, to, facts } = context
  const name = streamName(m.name, from)
  const subscribed = facts[to].subscriptions.find((subscription) => subscription.name === name)?.tables ?? []
  return tablePairs(context)
    .map(({ right }) => right)
    .filter((table) => table.kind === 'r' && !subscribed.includes(nameOf(table)))
}

/** Whole trees of partitions by their roots, since the two sides need not be divided alike. */
const withoutBackfill = (context: Context, begun: readonly string[]): TableFacts[] =>
  tablePairs(context)
    .filter(({ left, right }) => right.partitionBound === null && !begun.includes(nameOf(left)))
    .map(({ right }) => right)
