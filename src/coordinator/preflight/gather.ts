// Brings together what the checks look at: both sides' facts, their sequences, and tables that should be empty.
import type { Run } from '../../control/control-connection.js'
import type { Migration } from '../../control/migration.js'
import { tablesOn } from '../../mirror/mapping.js'
import { patiently } from '../../mirror/patient.js'
import { counterparts } from '../../mirror/sequence-pairs.js'
import { readCatalog, readStates } from '../../mirror/sequence-states.js'
import { otherSide } from '../../phase/phases.js'
import type { Side } from '../../phase/phases.js'
import type { Context, SequencePair } from './check.js'
import { nameOf, readFacts } from './facts.js'
import type { SideFacts } from './facts.js'
import { filledTables } from './filled-tables.js'
import type { Stage } from './finding.js'
import { readNeighbours } from './neighbour-facts.js'
import { readRelayFacts } from './relay-facts.js'

/** A few round trips to each side; large catalogs may take their time. */
export function gather(m: Migration, from: Side, stage: Stage): Promise<Context> {
  const millis = m.timings.prepareTimeoutMillis
  return patiently(m.control.old, millis, (old) =>
    patiently(m.control.new, millis, async (next) => {
      const run = { old: old.run, new: next.run }
      const [oldFacts, newFacts] = await Promise.all([
        readFacts(run.old, tablesOn(m, 'old'), m.poolRoles?.old),
        readFacts(run.new, tablesOn(m, 'new'), m.poolRoles?.new),
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
        relay:
          m.mirror === 'dual-write'
            ? await readRelayFacts(m, from, run, from === 'old' ? oldFacts : newFacts)
            : undefined,
        ...(await readNeighbours(m, from, run, { old: oldFacts, new: newFacts })),
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

const isReadable = ({ lockedSequences, lockedSchemas }: SideFacts): boolean =>
  lockedSequences.length === 0 && lockedSchemas.length === 0

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
  const pairs = counterparts(m, from, lefts, rights)
  const known = new Set(pairs.flatMap((pair) => pair.rights))
  return {
    sequences: pairs.flatMap(({ left, rights: across }): SequencePair[] =>
      across.length === 0 ? [{ left, right: undefined }] : across.map((right) => ({ left, right })),
    ),
    extraSequences: [...rights.values()].filter((right) => !known.has(right)).map(nameOf),
  }
}
