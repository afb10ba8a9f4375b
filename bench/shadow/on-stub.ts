// What the route that picks reads for comparison adds to a call that is not picked, over a pool that does nothing.
import { innerPool } from '../../src/pool/pg-internals.js'
import { DirectRoute, type Route } from '../../src/pool/route.js'
import { loadStatements } from '../../src/reads/statements.js'
import { KnownReads } from '../../src/shadow/known-reads.js'
import { ObservedRoute } from '../../src/shadow/observed-route.js'
import { difference } from '../against-itself.js'
import { stubPool } from '../facade/stub-pool.js'
import type { Outcome } from '../outcome.js'
import { paired } from '../paired.js'
import type { Part } from '../report.js'

const TEXT = 'select id, n from item where id = $1'
const BATCH = 1_000
const BATCHES_IN_A_SLICE = 40

const VALUES: readonly unknown[] = [1]

// Three times the same, since a function that saw both routes would be compiled for both.
function plainBatch(route: Route, texts: readonly string[]): unknown {
  let last: unknown
  for (const text of texts) last = route.query(text, VALUES, undefined)
  return last
}

function plainBatchAgain(route: Route, texts: readonly string[]): unknown {
  let last: unknown
  for (const text of texts) last = route.query(text, VALUES, undefined)
  return last
}

function observedBatch(route: Route, texts: readonly string[]): unknown {
  let last: unknown
  for (const text of texts) last = route.query(text, VALUES, undefined)
  return last
}

type Batch = typeof plainBatch

export async function onStub(quick: boolean): Promise<Part> {
  const direct = new DirectRoute(innerPool(stubPool()))
  const statements = await loadStatements()
  const known = new KnownReads({
    statements: { ...statements, isRead: (text) => !text.startsWith('update'), isSteady: () => true },
    side: 'old',
    rate: 0.01,
    perMinute: 0,
    hasRoom: () => false,
    skip: () => {},
  })
  const observed = new ObservedRoute(
    direct,
    (text) => known.pick(text),
    () => {},
  )
  const quads = quick ? 20 : 100
  const cost = async (what: string, make: () => readonly string[]): Promise<Outcome> => {
    console.error(what)
    observed.query(make()[0] ?? '', undefined, undefined)
    // The text is looked into in the first turn.
    for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve))
    const timed = (batch: Batch, route: Route) => (): number => {
      let nanos = 0n
      for (let round = 0; round < BATCHES_IN_A_SLICE; round++) {
        const texts = make()
        const start = process.hrtime.bigint()
        batch(route, texts)
        nanos += process.hrtime.bigint() - start
      }
      return Number(nanos) / (BATCH * BATCHES_IN_A_SLICE)
    }
    const same = await paired(quads, timed(plainBatch, direct), timed(plainBatchAgain, direct))
    const added = await paired(quads, timed(plainBatch, direct), timed(observedBatch, observed))
    return difference(what, 'ns', added, same)
  }
  const repeated = (text: string): string[] => Array.from({ length: BATCH }, () => text)
  try {
    return {
      ...PART,
      outcomes: [
        await cost('a read that was seen before', () => repeated(TEXT)),
        await cost('a write', () => repeated('update item set n = n + 1 where id = $1')),
        // Equal and made anew each time, as query builders do: each is hashed once.
        await cost('a read whose text is made anew', () =>
          Array.from({ length: BATCH }, () => Buffer.from(TEXT).toString()),
        ),
      ],
    }
  } finally {
    known.close()
  }
}

const PART = {
  title: 'What does a call cost that is not picked for a comparison?',
  how: `What the route that picks calls adds to one that it does not pick, over a pool that does nothing, in batches of ${BATCH.toLocaleString('en')} and
slices A B B A. Against itself is the route at rest with itself.`,
  picture: { kind: 'bars', title: 'Above the route at rest, a call', unit: 'ns' },
  notes: ['What a text that is made anew costs more is the hashing of it.'],
} as const satisfies Omit<Part, 'outcomes'>
