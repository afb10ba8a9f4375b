// What comparing one read in a hundred costs the process and its callers, between two servers.
import pg from 'pg'
import { createCutover, memorySource, type Cutover, type Phase } from '../../src/index.js'
import { startPair, type Pair } from '../../test/support/servers.js'
import { ratio, shown, type Outcome } from '../outcome.js'
import { pairedBy, quantile } from '../paired.js'
import type { Part } from '../report.js'

const CALLERS = [16, 64] as const
const QUERIES_IN_A_SLICE = 2_000
const CONNECTIONS = 10
const TEXT = 'select id, n from item where id = $1'
const WARM_COMPARISONS = 5_000
const MOST = 1.01

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
    old: { connectionString: pair.old.url(), max: CONNECTIONS },
    new: { connectionString: pair.new.url(), max: CONNECTIONS },
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

/** The slowest in a hundred have no limit: they are those that the machine made wait for something else. */
const WHAT = {
  cpu: { what: 'CPU time of the process a query', most: MOST },
  p50: { what: 'median latency of a caller', most: MOST },
  p99: { what: 'latency of a caller, 99 %' },
} as const satisfies Record<(typeof KINDS)[number], { what: string; most?: number }>

export async function onServers(quick: boolean): Promise<Part[]> {
  const pair = await startPair()
  const quads = quick ? 5 : 24
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
    try {
      await comparing(observed)
      await comparing(shadow)
      await warm(pair)
      const parts: Part[] = []
      for (const callers of CALLERS) {
        console.error(`${callers} callers`)
        const against = (other: Cutover) =>
          pairedBy(
            KINDS,
            quads,
            () => slice(plain.pool, callers),
            () => slice(other.pool, callers),
          )
        const same = await against(again)
        const none = await against(observed)
        const some = await against(shadow)
        const outcomes = KINDS.flatMap((kind): Outcome[] => {
          const { what, ...limit } = WHAT[kind]
          return [
            ratio(`${what}, one in a hundred compared`, some[kind], same[kind], {
              ...limit,
              remark: `${shown(Number(some[kind].medianA.toPrecision(3)))} µs without`,
            }),
            ratio(`${what}, nothing picked`, none[kind], same[kind]),
          ]
        })
        parts.push(partOf(callers, quads, outcomes))
      }
      const { compared } = shadow.shadow.totals()
      if (compared < 10) throw new Error(`${compared} comparisons only`)
      return parts
    } finally {
      for (const cutover of [plain, again, observed, shadow]) await cutover.end()
    }
  } finally {
    await pair.destroy()
  }
}

const partOf = (callers: number, quads: number, outcomes: readonly Outcome[]): Part => ({
  title: `What does comparing reads cost, with ${callers} callers?`,
  how: `Phase \`shadow\` for each of phase \`mirror\`, reads of one row by its key, two servers, ${CONNECTIONS} connections; ${quads} quads A B B A of ${QUERIES_IN_A_SLICE.toLocaleString('en')} reads
a slice. Against itself is \`mirror\` with another migration in \`mirror\`. The process has made ${WARM_COMPARISONS.toLocaleString('en')} comparisons before, since a service
that runs for hours is as warm.`,
  outcomes,
  picture: { kind: 'bars', title: `Phase shadow for each of phase mirror, ${callers} callers`, unit: '×' },
  notes: [
    'A comparison is two more statements and what compares their answers, in the same process. Nobody waits for it, but everybody shares the cores.',
    '`rate: 0` compares each statement once a minute only.',
  ],
})
