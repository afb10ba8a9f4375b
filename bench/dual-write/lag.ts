// How long a row takes from the moment in which its writer sees the COMMIT until the other side shows it.
import { setTimeout as delay } from 'node:timers/promises'
import type { Cutover } from '../../src/index.js'
import type { Pair } from '../../test/support/servers.js'
import { CORES, type PartOnPair, type Tell } from '../on-pairs.js'
import { median, type Outcome } from '../outcome.js'
import { quantile } from '../paired.js'
import { databases, ITEM, SETTINGS, someItems, withClient } from './ground.js'
import { hearRows } from './heard.js'
import { joined, leading, leadingProcess } from './leading-process.js'

const A_SECOND = 1_000
const MOST = { p50: 5, p99: 20 }
/** So seldom that the relay has gone to rest. */
const IDLE_MILLIS = 200
/** For what is left when the last write has ended. */
const PATIENCE_MILLIS = 10_000
const WRITE = 'insert into item values ($1, 0, $2)'

const sizes = (quick: boolean) => (quick ? { seconds: 2, single: 10 } : { seconds: 20, single: 50 })

export const lag: PartOnPair = {
  title: 'Dual-write: how far is the other side behind?',
  how: (quick) => {
    const { seconds, single } = sizes(quick)
    return [
      "From the moment in which a writer sees its COMMIT until the other side shows the row, both by one process's clock.",
      `${A_SECOND.toLocaleString('en')} single-row INSERTs a second, as they fall due and not as they are answered, for ${seconds} seconds after one that warms up:`,
      "the other side shows a row when it has answered the relay's COMMIT, in the same process.",
      `Single writes: ${single}, ${IDLE_MILLIS} ms apart, so that the relay has gone to rest; the other side is asked for the row again and again.`,
      'From another process: the writer is a member, and somebody else leads.',
      `Both servers, which have \`fsync\` on, and these processes share ${CORES}.`,
    ]
  },
  picture: { kind: 'bars', title: 'Lag from COMMIT to the other side', unit: 'ms' },
  settings: SETTINGS,
  run: measure,
}

async function measure(pair: Pair, quick: boolean, tell: Tell): Promise<readonly string[]> {
  const { seconds, single } = sizes(quick)
  const here = await databases(pair, 'bench_lag_here', ITEM, someItems(-100, 0))
  const there = await databases(pair, 'bench_lag_there', ITEM, someItems(-100, 0))
  const leader = await leading('bench_lag_here', here, {})
  try {
    for (const outcome of await busy(leader, seconds)) tell(outcome)
    tell(await idle(leader, here.new, single, "the leader's process"))
  } finally {
    await leader.end()
  }
  const other = await leadingProcess('bench_lag_there', there)
  const member = await joined('bench_lag_there', there, {})
  try {
    tell(await idle(member, there.new, single, 'another process'))
  } finally {
    await member.end()
    await other.close()
  }
  return []
}

/** Both clocks are this process's: its relay hears from the other side, and its writers from theirs. */
async function busy({ pool }: Cutover, seconds: number): Promise<Outcome[]> {
  const committed = new Map<number, number>()
  const shown = new Map<number, number>()
  const stop = hearRows((id) => void shown.set(id, performance.now()))
  const writes: Promise<unknown>[] = []
  const began = performance.now()
  const write = async (id: number): Promise<void> => {
    await pool.query(WRITE, [id, 'this is the note of an item'])
    committed.set(id, performance.now())
  }
  try {
    // The first second warms up.
    for (let id = 0; id < (seconds + 1) * A_SECOND;) {
      const due = ((performance.now() - began) / 1_000) * A_SECOND
      while (id < due) writes.push(write(++id))
      await delay(1)
    }
    await Promise.all(writes)
    const deadline = performance.now() + PATIENCE_MILLIS
    while (shown.size < committed.size && performance.now() < deadline) await delay(1)
    if (shown.size < committed.size) throw new Error(`${shown.size} of ${committed.size} rows were heard of`)
  } finally {
    stop()
  }
  const lags = [...committed].flatMap(([id, at]) =>
    id > A_SECOND ? [(shown.get(id) ?? Number.NaN) - at] : [],
  )
  const of = (share: number): number => Number(quantile(lags, share).toPrecision(3))
  // Rows of one moment wait for the same turns, so that seconds are the samples and not rows.
  const halves = Array.from({ length: seconds }, (_, nr) =>
    quantile(lags.slice(nr * A_SECOND, (nr + 1) * A_SECOND), 0.5),
  )
  const what = `lag at ${A_SECOND.toLocaleString('en')} writes/s`
  return [
    median(`${what}, p50`, 'ms', halves, { measured: of(0.5), most: MOST.p50 }),
    {
      what: `${what}, p99`,
      unit: 'ms',
      measured: of(0.99),
      most: MOST.p99,
      remark: `${lags.length.toLocaleString('en')} writes, the longest ${of(1)} ms`,
    },
  ]
}

/** The other side is asked again and again, which a machine at rest has the time for. */
async function idle({ pool }: Cutover, url: string, writes: number, from: string): Promise<Outcome> {
  const lags = await withClient(url, async (client) => {
    const shows = async (id: number): Promise<number> => {
      for (;;) {
        const { rowCount } = await client.query('select from item where id = $1', [id])
        if (rowCount === 1) return performance.now()
      }
    }
    const one = async (id: number): Promise<number> => {
      await delay(IDLE_MILLIS)
      const shown = shows(id)
      await pool.query(WRITE, [id, 'this is the note of an item'])
      const committed = performance.now()
      return (await shown) - committed
    }
    const taken: number[] = []
    for (let nr = 1; nr <= writes; nr++) taken.push(await one(1e6 + nr))
    return taken
  })
  return median(`lag of one write in ${IDLE_MILLIS} ms, from ${from}, p50`, 'ms', lags)
}
