// What 10,000 held queries weigh, and how long their release blocks the event loop.
import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { createCutover, memorySource } from '../src/index.js'
import { startPair } from '../test/support/servers.js'
import { keptBytes } from './heap.js'
import { watchLoop } from './loop-gap.js'
import { quantile } from './paired.js'
import { stubConfig } from './stub-client.js'

const HELD = 10_000
const ROUNDS = 5
const MAX = 20

interface Round {
  readonly heldBytes: number
  readonly blockMillis: number
  readonly blockCpuMillis: number
  readonly releaseMillis: number
  readonly idleBlockMillis: number
}

export async function held(stub: boolean, quick: boolean) {
  const count = quick ? 1 : ROUNDS
  const pair = stub ? undefined : await startPair()
  try {
    const rounds: Round[] = []
    for (let round = 0; round < count; round++) {
      rounds.push(
        pair
          ? await oneRound(
              { connectionString: pair.old.url(), max: MAX },
              { connectionString: pair.new.url(), max: MAX },
            )
          : await oneRound(stubConfig(MAX), stubConfig(MAX)),
      )
    }
    const of = (key: keyof Round, share: number): number =>
      quantile(
        rounds.map((one) => one[key]),
        share,
      )
    const figures = {
      heldBytes: Math.round(of('heldBytes', 0.5)),
      longestBlockMillis: round(of('blockMillis', 1)),
      medianBlockMillis: round(of('blockMillis', 0.5)),
      // The same time with nothing to do: what other processes of the machine take from this one.
      idleBlockMillis: round(of('idleBlockMillis', 1)),
      longestBlockCpuMillis: round(of('blockCpuMillis', 1)),
      releaseMillis: round(of('releaseMillis', 0.5)),
      queries: HELD,
      rounds: count,
    }
    console.log(`${HELD} held queries, ${stub ? 'stub clients' : 'two real servers'}, ${MAX} connections, ${count} rounds
  heap            ${(figures.heldBytes / 1e6).toFixed(1)} MB in all, ${Math.round(figures.heldBytes / HELD)} bytes each
  longest block   ${figures.longestBlockMillis} ms at the release (median of rounds ${figures.medianBlockMillis}; of CPU at most ${figures.longestBlockCpuMillis}; doing nothing ${figures.idleBlockMillis})
  all answered    after ${figures.releaseMillis} ms`)
    return figures
  } finally {
    await pair?.destroy()
  }
}

async function oneRound(old: pg.PoolConfig, fresh: pg.PoolConfig): Promise<Round> {
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
  await cutover.ready()
  const { pool } = cutover
  await Promise.all(Array.from({ length: MAX }, () => pool.query('select 1')))
  const holding = new Promise((resolve) => cutover.once('wish', resolve))
  source.set('hold')
  await holding
  const before = keptBytes()
  const answers = Array.from({ length: HELD }, (_, call) => pool.query('select $1::int', [call]))
  const heldBytes = keptBytes() - before
  if (cutover.status().waiting !== HELD)
    throw new Error(`${cutover.status().waiting} of ${HELD} queries are held`)
  const loop = watchLoop()
  const start = performance.now()
  source.set('old')
  await Promise.all(answers)
  const releaseMillis = performance.now() - start
  const block = loop.stop()
  await cutover.end()
  const idleLoop = watchLoop()
  await delay(releaseMillis)
  const idle = idleLoop.stop()
  return {
    heldBytes,
    blockMillis: block.millis,
    blockCpuMillis: block.cpuMillis,
    releaseMillis,
    idleBlockMillis: idle.millis,
  }
}

const round = (value: number): number => Math.round(value * 10) / 10
