// Callers who wait until both sides have their write: by this library, by a pair of transactions coded by hand, by LaunchDarkly.
import * as launchDarkly from '@launchdarkly/node-server-sdk'
import pg from 'pg'
import type { Cutover } from '../../src/index.js'
import { startLaunchDarkly } from '../../test/support/launchdarkly-server.js'
import type { Pair } from '../../test/support/servers.js'
import { CORES, type PartOnPair, type Tell } from '../on-pairs.js'
import { throughput, type Outcome } from '../outcome.js'
import { pairedBy } from '../paired.js'
import { callers, CALLERS, type Waited } from './callers.js'
import { databases, ITEM, SETTINGS, someItems, type Urls } from './ground.js'
import { joined, leading, leadingProcess } from './leading-process.js'

const ROWS = 10_000
const WRITE = 'update item set n = n + 1 where id = $1'
const KINDS = ['micros', 'p50', 'p99'] as const
const LEAST = 0.85
const FLAG = 'item-writes'
const CONTEXT = { kind: 'service', key: 'bench' }

type Write = (id: number) => Promise<unknown>

const sizes = (quick: boolean) => (quick ? { quads: 2, calls: 200 } : { quads: 8, calls: 1_200 })

const NOTES = [
  'A call that waits takes two round trips of a turn of the relay on top of its own write: one to the writer, which forgets the last turn and reads the next, and one to the other side.',
  "LaunchDarkly's `createMigration` writes one side after the other and undoes nothing where the second write fails; by hand both sides are written before either is committed, and nothing is done where only one COMMIT succeeds.",
]

export const awaiting: PartOnPair = {
  title: 'Dual-write: what does it cost to wait until both sides have a write?',
  how: (quick) => {
    const { quads, calls } = sizes(quick)
    return [
      `${CALLERS} callers update one row each, and again as soon as they are answered:`,
      "with `await: 'applied'`, and by a pair of transactions coded by hand, BEGIN to COMMIT on both servers.",
      `Throughput with that of the pair as 1, in paired slices of ${calls.toLocaleString('en')} calls, ${quads} quads; the pair against itself is the A/A.`,
      "LaunchDarkly's `createMigration` does the same two writes in its stage `dualwrite`, with a flag service on loopback.",
      `Both servers, which have \`fsync\` on, and all processes share ${CORES}.`,
    ]
  },
  picture: { kind: 'bars', title: 'Throughput, a pair of transactions by hand as 1', unit: '×' },
  settings: SETTINGS,
  run: measure,
}

async function measure(pair: Pair, quick: boolean, tell: Tell): Promise<readonly string[]> {
  const items = someItems(1, ROWS)
  const apart = await databases(pair, 'bench_apart', `${ITEM}; ${items}`)
  const here = await databases(pair, 'bench_here', ITEM, items)
  const there = await databases(pair, 'bench_there', ITEM, items)
  const pools = poolsOn(apart)
  const flags = await migrationOfLaunchDarkly(pools)
  const { quads, calls } = sizes(quick)
  const slice = (write: Write) => (): Promise<Waited> => callers(calls, (nr) => write(1 + (nr % ROWS)))
  const byHand = slice((id) => pairOfTransactions(pools, id))
  const against = (write: Write) => pairedBy(KINDS, quads, byHand, slice(write))
  try {
    const same = await against((id) => pairOfTransactions(pools, id))
    const told = async (what: string, write: Write, bound: Partial<Outcome>): Promise<Outcome> => {
      const added = await against(write)
      const millis = (kind: 'p50' | 'p99'): string => added[kind].medianB.toFixed(1)
      const remark = `${Math.round(1e6 / added.micros.medianB).toLocaleString('en')}/s, p50 ${millis('p50')} ms, p99 ${millis('p99')} ms; by hand ${Math.round(1e6 / added.micros.medianA).toLocaleString('en')}/s`
      return throughput(what, added.micros, same.micros, { ...bound, remark })
    }
    const applied = (cutover: Cutover, what: string): Promise<Outcome> =>
      told(`writes with await: 'applied', ${what}`, (id) => cutover.pool.query(WRITE, [id]), { least: LEAST })
    const leader = await leading('bench_here', here, { await: 'applied' })
    try {
      tell(await applied(leader, "in the leader's process"))
    } finally {
      await leader.end()
    }
    const other = await leadingProcess('bench_there', there)
    const member = await joined('bench_there', there, { await: 'applied' })
    try {
      tell(await applied(member, 'in another process'))
    } finally {
      await member.end()
      await other.close()
    }
    tell(await told("writes with LaunchDarkly's createMigration, stage dualwrite", flags.write, {}))
    tell(await told('writes to the old side alone', (id) => pools.old.query(WRITE, [id]), {}))
    return NOTES
  } finally {
    await flags.close()
    await Promise.all([pools.old.end(), pools.new.end()])
  }
}

type Pools = Readonly<Record<'old' | 'new', pg.Pool>>

const poolsOn = (urls: Urls): Pools => ({
  old: new pg.Pool({ connectionString: urls.old, max: CALLERS }),
  new: new pg.Pool({ connectionString: urls.new, max: CALLERS }),
})

/** Both are written before either is committed, which is the most that such a pair can do for them to be equal. */
async function pairOfTransactions(pools: Pools, id: number): Promise<void> {
  const one = await pools.old.connect()
  try {
    const other = await pools.new.connect()
    try {
      await one.query('BEGIN')
      await other.query('BEGIN')
      await one.query(WRITE, [id])
      await other.query(WRITE, [id])
      await one.query('COMMIT')
      await other.query('COMMIT')
    } finally {
      other.release()
    }
  } finally {
    one.release()
  }
}

/** As its documentation has it, which writes one side after the other and undoes nothing. */
async function migrationOfLaunchDarkly(pools: Pools): Promise<{ write: Write; close(): Promise<void> }> {
  const service = await startLaunchDarkly()
  service.setFlag(FLAG, { variations: ['dualwrite'], migration: { checkRatio: 1 } })
  const client = launchDarkly.init('sdk-bench', {
    ...service.uris,
    logger: launchDarkly.basicLogger({ level: 'none' }),
  })
  await client.waitForInitialization({ timeout: 10 })
  const on = (side: 'old' | 'new') => async (id?: number) =>
    launchDarkly.LDMigrationSuccess(await pools[side].query(WRITE, [id]))
  const migration = launchDarkly.createMigration<pg.QueryResult, pg.QueryResult, number, number>(client, {
    readOld: on('old'),
    readNew: on('new'),
    writeOld: on('old'),
    writeNew: on('new'),
  })
  const write: Write = async (id) => {
    const { authoritative, nonAuthoritative } = await migration.write(
      FLAG,
      CONTEXT,
      launchDarkly.LDMigrationStage.Off,
      id,
    )
    if (!authoritative.success || nonAuthoritative?.success !== true)
      throw new Error('it has not written both sides')
  }
  return {
    write,
    close: async () => {
      client.close()
      await service.close()
    },
  }
}
