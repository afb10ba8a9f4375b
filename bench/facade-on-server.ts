// What the facade at rest adds to a query against a real server, in CPU time of this process.
import pg from 'pg'
import { Bench } from 'tinybench'
import { createCutover, memorySource } from '../src/index.js'
import { startPair } from '../test/support/servers.js'
import { paired } from './paired.js'

const CALLERS = 64
const QUERIES_IN_A_SLICE = 4_000

/** Microseconds of CPU a query, of this process alone: the server's share of the machine is not counted. */
async function cpuOf(pool: pg.Pool): Promise<number> {
  let left = QUERIES_IN_A_SLICE
  const caller = async (): Promise<void> => {
    while (left-- > 0) await pool.query('select $1::int as n', [left])
  }
  const before = process.cpuUsage()
  await Promise.all(Array.from({ length: CALLERS }, caller))
  const { user, system } = process.cpuUsage(before)
  return (user + system) / QUERIES_IN_A_SLICE
}

/** Median latency of one caller, in microseconds: coarse, and what a caller sees. */
async function latency(
  raw: pg.Pool,
  facade: pg.Pool,
  millis: number,
): Promise<{ raw: number; facade: number }> {
  const bench = new Bench({ time: millis, warmupTime: millis / 4 })
  bench.add('raw', () => raw.query('select 1')).add('facade', () => facade.query('select 1'))
  await bench.run()
  const median = (name: string): number => {
    const result = bench.getTask(name)?.result
    return result && 'latency' in result ? result.latency.p50 * 1_000 : Number.NaN
  }
  return { raw: median('raw'), facade: median('facade') }
}

export async function facadeOnServer(quick: boolean) {
  const pair = await startPair()
  const config = { connectionString: pair.old.url(), max: 10 }
  const raw = new pg.Pool(config)
  const rawAgain = new pg.Pool(config)
  const cutover = createCutover({
    name: 'bench',
    old: config,
    new: { connectionString: pair.new.url(), max: 10 },
    source: memorySource('old'),
    control: false,
  })
  try {
    await cutover.ready()
    const quads = quick ? 6 : 30
    const same = await paired(
      quads,
      () => cpuOf(raw),
      () => cpuOf(rawAgain),
    )
    const added = await paired(
      quads,
      () => cpuOf(raw),
      () => cpuOf(cutover.pool),
    )
    const alone = await latency(raw, cutover.pool, quick ? 300 : 3_000)
    const figures = {
      cpuRatio: ratio(1 + added.difference / added.medianA),
      cpuRatioMiddleHalf: [ratio(1 + added.low / added.medianA), ratio(1 + added.high / added.medianA)],
      sameRatio: ratio(1 + same.difference / same.medianA),
      rawCpuMicros: ratio(added.medianA),
      rawLatencyMicros: ratio(alone.raw),
      facadeLatencyMicros: ratio(alone.facade),
    }
    console.log(`facade at rest against a real server, ${CALLERS} callers, 10 connections, ${quads} quads A B B A
  raw             ${figures.rawCpuMicros} µs of CPU a query
  raw, itself     ${figures.sameRatio}
  facade          ${figures.cpuRatio} (middle half ${figures.cpuRatioMiddleHalf.join(' to ')})
  one caller      ${figures.rawLatencyMicros} µs raw, ${figures.facadeLatencyMicros} µs through the facade`)
    return figures
  } finally {
    await Promise.allSettled([cutover.end(), raw.end(), rawAgain.end()])
    await pair.destroy()
  }
}

const ratio = (value: number): number => Math.round(value * 1_000) / 1_000
