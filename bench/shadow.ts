// What comparing reads costs: the calls that are not chosen, and the whole process at one comparison in a hundred.
import pg from 'pg'
import { createCutover, memorySource, type Cutover, type Phase } from '../src/index.js'
import { innerPool } from '../src/pool/pg-internals.js'
import { DirectRoute, type Route } from '../src/pool/route.js'
import { loadStatements } from '../src/reads/statements.js'
import { KnownReads } from '../src/shadow/known-reads.js'
import { ObservedRoute } from '../src/shadow/observed-route.js'
import { startPair, type Pair } from '../test/support/servers.js'
import { paired, pairedBy, quantile, type Paired } from './paired.js'
import { stubConfig } from './stub-client.js'

const CALLERS = [16, 64] as const
const QUERIES_IN_A_SLICE = 4_000
const TEXT = 'select id, n from item where id = $1'
const BATCH = 1_000
const WARM_COMPARISONS = 5_000
const BATCHES_IN_A_SLICE = 40

const KINDS = ['cpu', 'p50', 'p99'] as const
type Cost = Readonly<Record<(typeof KINDS)[number], number>>

/** Of one slice: CPU of this process a query, and what its callers waited, in microseconds. */
async function slice(pool: pg.Pool, callers: number): Promise<Cost> {
  let left = QUERIES_IN_A_SLICE
  const waited: number[] = []
  const caller = async (): Promise<void> => {
    while (left-- > 0) {
      const began = performance.now()
      await pool.query(TEXT, [1 + (left % 1_000)])
      waited.push(performance.now() - began)
    }
  }
  const before = process.cpuUsage()
  await Promise.all(Array.from({ length: callers }, caller))
  const { user, system } = process.cpuUsage(before)
  return {
    cpu: (user + system) / QUERIES_IN_A_SLICE,
    p50: 1_000 * quantile(waited, 0.5),
    p99: 1_000 * quantile(waited, 0.99),
  }
}

async function cutoverAt(pair: Pair, phase: Phase, shadow: { rate: number; perMinute: number }) {
  const cutover = createCutover({
    name: 'bench',
    old: { connectionString: pair.old.url(), max: 10 },
    new: { connectionString: pair.new.url(), max: 10 },
    source: memorySource(phase),
    shadow,
  })
  await cutover.ready()
  return cutover
}

/** Calls are chosen only when the text is known. */
async function comparing(cutover: Cutover): Promise<void> {
  while (cutover.shadow.totals().compared === 0) await cutover.pool.query(TEXT, [1])
}

/** A service that runs for hours has compared often; one in a hundred of a short run would be measured cold. */
async function warm(pair: Pair): Promise<void> {
  const cutover = await cutoverAt(pair, 'shadow', { rate: 1, perMinute: 1 })
  await comparing(cutover)
  while (cutover.shadow.totals().compared < WARM_COMPARISONS) await cutover.pool.query(TEXT, [1])
  await cutover.end()
}

async function onServers(quick: boolean) {
  const pair = await startPair()
  const quads = quick ? 4 : 24
  try {
    for (const server of [pair.old, pair.new]) {
      const client = new pg.Client({ connectionString: server.url() })
      await client.connect()
      await client.query(`create table item (id int primary key, n int not null);
        insert into item select i, i from generate_series(1, 1000) i; analyze item`)
      await client.end()
    }
    const plain = await cutoverAt(pair, 'mirror', { rate: 0.01, perMinute: 1 })
    const again = await cutoverAt(pair, 'mirror', { rate: 0.01, perMinute: 1 })
    // One comparison, so that it is known to be in place, and none any more.
    const observed = await cutoverAt(pair, 'shadow', { rate: 0, perMinute: 1 })
    const shadow = await cutoverAt(pair, 'shadow', { rate: 0.01, perMinute: 1 })
    await comparing(observed)
    await comparing(shadow)
    await warm(pair)
    const figures: Record<string, unknown> = {}
    for (const callers of CALLERS) {
      const against = (other: Cutover) =>
        pairedBy(
          KINDS,
          quads,
          () => slice(plain.pool, callers),
          () => slice(other.pool, callers),
        )
      figures[`callers${callers}`] = {
        same: told(await against(again)),
        observedAlone: told(await against(observed)),
        atOnePercent: told(await against(shadow)),
      }
    }
    const totals = shadow.shadow.totals()
    for (const cutover of [plain, again, observed, shadow]) await cutover.end()
    return { quads, ...figures, compared: totals.compared, skipped: totals.skipped }
  } finally {
    await pair.destroy()
  }
}

const told = (costs: Readonly<Record<keyof Cost, Paired>>) =>
  Object.fromEntries(
    KINDS.map((kind) => {
      const { difference, low, high, medianA } = costs[kind]
      const ratio = (value: number): number => round(1 + value / medianA)
      return [
        kind,
        { micros: round(medianA), ratio: ratio(difference), middleHalf: [ratio(low), ratio(high)] },
      ]
    }),
  )

const ANSWER: Promise<unknown> = Promise.resolve({ command: 'SELECT', rows: [] })

/** A real pool whose `query` answers without any work. */
class StubPool extends pg.Pool {
  override query(): never {
    return ANSWER as never
  }
}

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

async function onStub(quick: boolean) {
  const direct = new DirectRoute(innerPool(new StubPool(stubConfig(10))))
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
  const cost = async (make: () => readonly string[]) => {
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
    return {
      nanos: round(added.difference),
      middleHalf: [round(added.low), round(added.high)],
      same: round(same.difference),
    }
  }
  const repeated = (text: string): string[] => Array.from({ length: BATCH }, () => text)
  // Equal and made anew each time, as query builders do: each is hashed once.
  const anew = (): string[] => Array.from({ length: BATCH }, () => Buffer.from(TEXT).toString())
  const figures = {
    read: await cost(() => repeated(TEXT)),
    write: await cost(() => repeated('update item set n = n + 1 where id = $1')),
    readMadeAnew: await cost(anew),
  }
  known.close()
  return figures
}

export async function shadow(stub: boolean, quick: boolean) {
  const figures = stub ? { addedNanos: await onStub(quick) } : await onServers(quick)
  console.log(JSON.stringify(figures, undefined, 2))
  return figures
}

const round = (value: number): number => Math.round(value * 1_000) / 1_000
