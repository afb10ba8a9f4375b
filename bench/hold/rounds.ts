// One round of 10,000 held queries: on the facade, in the line of a plain pool, and the same time with nothing to do.
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { createCutover, memorySource } from '../../src/index.js'
import { keptBytes } from '../heap.js'
import { watchLoop } from '../loop-gap.js'

export const HELD = 10_000
export const MAX = 20

export interface Configs {
  readonly old: pg.PoolConfig
  readonly new: pg.PoolConfig
}

/** Of the event loop while something ran. */
export interface Busy {
  readonly millis: number
  /** The longest turn, and the most CPU time of a turn: of the process, with its collector's threads. */
  readonly turnMillis: number
  readonly turnCpuMillis: number
  /** Of a timer that is due each millisecond, by the histogram of Node: its wish is in them. */
  readonly delay99Millis: number
  readonly delayMostMillis: number
}

export interface Released extends Busy {
  readonly bytesEach: number
}

/** Of the two, the second is what the first is told against. */
type Twice = readonly [Released, Released]

export interface Round {
  readonly facade: Twice
  readonly plain: Twice
  readonly idle: Busy
}

async function watched(work: () => Promise<unknown>): Promise<Busy> {
  const histogram = monitorEventLoopDelay({ resolution: 1 })
  const loop = watchLoop()
  histogram.enable()
  const began = performance.now()
  await work()
  const millis = performance.now() - began
  histogram.disable()
  const turn = loop.stop()
  return {
    millis,
    turnMillis: turn.millis,
    turnCpuMillis: turn.cpuMillis,
    delay99Millis: histogram.percentile(99) / 1e6,
    delayMostMillis: histogram.max / 1e6,
  }
}

/** All calls are made and none may begin; then `release` lets them. */
async function heldAndReleased(pool: pg.Pool, release: () => void, waiting: () => number): Promise<Released> {
  const before = keptBytes()
  const answers = Array.from({ length: HELD }, (_, call) => pool.query('select $1::int', [call]))
  const bytesEach = (keptBytes() - before) / HELD
  if (waiting() !== HELD) throw new Error(`${waiting()} of ${HELD} queries are held`)
  const busy = await watched(() => {
    release()
    return Promise.all(answers)
  })
  return { ...busy, bytesEach }
}

const open = (pool: pg.Pool): Promise<unknown> =>
  Promise.all(Array.from({ length: MAX }, () => pool.query('select 1')))

async function onFacade({ old, new: fresh }: Configs): Promise<Released> {
  const source = memorySource('old')
  const cutover = createCutover({
    name: 'bench',
    old,
    new: fresh,
    source,
    control: false,
    holdTimeoutMillis: 10_000,
    // They are reads, and are to wait.
    heldReadsMax: 0,
  })
  try {
    await cutover.ready()
    await open(cutover.pool)
    const holding = new Promise((resolve) => cutover.once('wish', resolve))
    source.set('hold')
    await holding
    return await heldAndReleased(
      cutover.pool,
      () => source.set('old'),
      () => cutover.status().waiting,
    )
  } finally {
    await cutover.end()
  }
}

/** The same calls in the line of a pool whose connections are all checked out. */
async function onPlainPool({ old }: Configs): Promise<Released> {
  const pool = new pg.Pool(old)
  try {
    await open(pool)
    const out = await Promise.all(Array.from({ length: MAX }, () => pool.connect()))
    return await heldAndReleased(
      pool,
      () => {
        for (const client of out) client.release()
      },
      () => pool.waitingCount,
    )
  } finally {
    await pool.end()
  }
}

/** There and back again, so that a drift of the machine hits both alike. */
export async function oneRound(configs: Configs): Promise<Round> {
  const facade = await onFacade(configs)
  const plain = await onPlainPool(configs)
  const plainAgain = await onPlainPool(configs)
  const facadeAgain = await onFacade(configs)
  return {
    facade: [facade, facadeAgain],
    plain: [plain, plainAgain],
    idle: await watched(() => delay(facade.millis)),
  }
}
