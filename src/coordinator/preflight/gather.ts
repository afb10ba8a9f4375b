// Brings together what the checks look at: both sides' facts, their sequences, and tables that should be empty.
import type { Run } from '../../control/control-connection.js'
import type { Migration } from '../../control/migration.js'
import { quoteIdent, streamName } from '../../control/names.js'
import { tablesOn } from '../../mirror/mapping.js'
import { patiently } from '../../mirror/patient.js'
import { readCatalog, readStates, sequenceKey } from '../../mirror/sequence-states.js'
import { otherSide } from '../../phase/phases.js'
import type { Side } from '../../phase/phases.js'
import type { Context } from './check.js'
import { tablePairs } from './column-checks.js'
import { nameOf, readFacts } from './facts.js'
import type { SideFacts, TableFacts } from './facts.js'
import type { Stage } from './finding.js'

/** A few round trips to each side; large catalogs may take their time. */
export function gather(m: Migration, from: Side, stage: Stage): Promise<Context> {
  const millis = m.timings.prepareTimeoutMillis
  return patiently(m.control.old, millis, (old) =>
    patiently(m.control.new, millis, async (next) => {
      const run = { old: old.run, new: next.run }
      const [oldFacts, newFacts] = await Promise.all([
        readFacts(run.old, tablesOn(m, 'old')),
        readFacts(run.new, tablesOn(m, 'new')),
      ])
      const to = otherSide(from)
      const context = {
        m,
        from,
        to,
        stage,
        facts: { old: oldFacts, new: newFacts },
        sequences: [],
        extraSequences: [],
        filled: [],
      } satisfies Context
      if (m.mirror === 'none') return context
      return {
        ...context,
        ...(await bothSequences(m, context, run)),
        filled: stage === 'mirror' ? await filledTables(context, run[to]) : [],
      }
    }),
  )
}

const isReadable = (facts: SideFacts): boolean => facts.lockedSequences.length === 0

type Sequences = Pick<Context, 'sequences' | 'extraSequences'>

async function bothSequences(
  m: Migration,
  { facts, from, to }: Context,
  run: Readonly<Record<Side, Run>>,
): Promise<Sequences> {
  const none = { sequences: [], extraSequences: [] }
  if (!isReadable(facts.old) || !isReadable(facts.new)) return none
  const states = (side: Side) =>
    readCatalog(run[side], tablesOn(m, side)).then((catalog) => readStates(run[side], catalog))
  const [lefts, rights] = await Promise.all([states(from), states(to)])
  // Undefined: one was made or dropped just now; preparing reads them again.
  if (!lefts || !rights) return none
  return {
    sequences: [...lefts.values()].map((left) => ({ left, right: rights.get(sequenceKey(left)) })),
    extraSequences: [...rights.values()].filter((right) => !lefts.has(sequenceKey(right))).map(nameOf),
  }
}

/** A table that the subscription has already is being copied, or was. */
async function filledTables(context: Context, run: Run): Promise<TableFacts[]> {
  const { m, from, to, facts } = context
  const name = streamName(m.name, from)
  const subscribed = facts[to].subscriptions.find((subscription) => subscription.name === name)?.tables ?? []
  const tables = tablePairs(context)
    .map(({ right }) => right)
    .filter((table) => table.kind === 'r' && table.owned && !subscribed.includes(nameOf(table)))
  const rows = tables.map(
    (table) => `exists (select from only ${quoteIdent(table.schema)}.${quoteIdent(table.name)})`,
  )
  const [row] = await run<{ filled: boolean[] }>(`select array[${rows.join(', ')}]::bool[] as filled`)
  return tables.filter((_, index) => row?.filled[index] === true)
}
