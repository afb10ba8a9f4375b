// How long a row takes from the moment in which its writer sees the COMMIT until the other side shows it.
import { setTimeout as delay } from 'node:timers/promises'
import type { Cutover } from '../../src/index.js'
import type { Pair } from '../../test/support/servers.js'
import { quantile } from '../paired.js'
import { databases, ITEM, someItems, withClient } from './ground.js'
import { hearRows } from './heard.js'
import { joined, leading, leadingProcess } from './leading-process.js'
import { median, type Outcome } from '../outcome.js'

const A_SECOND = 1_000
const MOST = { p50: 5, p99: 20 }
/** So seldom that the relay has gone to rest. */
const IDLE_MILLIS = 200
/** For what is left when the last write has ended. */
const PATIENCE_MILLIS = 10_000
const WRITE = 'insert into item values ($1, 0, $2)'

export async function lag(pair: Pair, quick: boolean): Promise<Outcome[]> {
  const here = await databases(pair, 'bench_lag_here', ITEM, someItems(-100, 0))
  const there = await databases(pair, 'bench_lag_there', ITEM, someItems(-100, 0))
  const outcomes: Outcome[] = []
  const leader = await leading('bench_lag_here', here, {})
  try {
    outcomes.push(
      ...(await busy(leader, quick ? 2 : 10)),
      await idle(leader, here.new, quick, "the leader's process"),
    )
  } finally {
    await leader.end()
  }
  const other = await leadingProcess('bench_lag_there', there)
  const member = await joined('bench_lag_there', there, {})
  try {
    outcomes.push(await idle(member, there.new, quick, 'another process'))
  } finally {
    await member.end()
    await other.close()
  }
  return outcomes
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
  const what = `lag at ${A_SECOND.toLocaleString('en')} writes/s`
  return [
    { what: `${what}, p50`, unit: 'ms', measured: of(0.5), most: MOST.p50 },
    { what: `${what}, p99`, unit: 'ms', measured: of(0.99), most: MOST.p99 },
  ]
}

/** The other side is asked again and again, which a machine at rest has the time for. */
async function idle({ pool }: Cutover, url: string, quick: boolean, from: string): Promise<Outcome> {
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
    for (let nr = 1; nr <= (quick ? 10 : 50); nr++) taken.push(await one(1e6 + nr))
    return taken
  })
  return median(`lag of one write in ${IDLE_MILLIS} ms, from ${from}, p50`, 'ms', lags)
}
