// What the facade at rest adds to a query over a pool that does nothing: time, bytes and promises.
import { createHook } from 'node:async_hooks'
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import pg from 'pg'
import { createCutover, memorySource, type Sampler } from '../src/index.js'
import { collect, usedBytes } from './heap.js'
import { paired, quantile } from './paired.js'
import { stubConfig } from './stub-client.js'

const BATCH = 1_000
const BATCHES_IN_A_SLICE = 40

const ANSWER: Promise<unknown> = Promise.resolve({ command: 'SELECT', rows: [] })

/** A real pool whose `query` answers without any work. */
class StubPool extends pg.Pool {
  calls = 0
  override query(): never {
    this.calls++
    return ANSWER as never
  }
}

const stubPool = (): pg.Pool => new StubPool(stubConfig(10))

interface Queryable {
  query(text: string, values: readonly unknown[]): unknown
}

const TEXT = 'select $1::int'
const VALUES: readonly unknown[] = [1]

// Four times the same, since a function that saw both pools would be compiled for both, as no call site of an
// application is.
function rawBatch(pool: Queryable): unknown {
  let last: unknown
  for (let call = 0; call < BATCH; call++) last = pool.query(TEXT, VALUES)
  return last
}

function rawBatchAgain(pool: Queryable): unknown {
  let last: unknown
  for (let call = 0; call < BATCH; call++) last = pool.query(TEXT, VALUES)
  return last
}

function facadeBatch(pool: Queryable): unknown {
  let last: unknown
  for (let call = 0; call < BATCH; call++) last = pool.query(TEXT, VALUES)
  return last
}

function sampledBatch(pool: Queryable): unknown {
  let last: unknown
  for (let call = 0; call < BATCH; call++) last = pool.query(TEXT, VALUES)
  return last
}

type Batch = typeof rawBatch

/** Nanoseconds a call. */
function timed(batch: Batch, pool: Queryable): number {
  const start = process.hrtime.bigint()
  for (let round = 0; round < BATCHES_IN_A_SLICE; round++) batch(pool)
  return Number(process.hrtime.bigint() - start) / (BATCH * BATCHES_IN_A_SLICE)
}

/** Bytes a call, from the growth of the heap over one slice without a collection. */
function allocated(batch: Batch, pool: Queryable): number {
  collect()
  const before = usedBytes()
  for (let round = 0; round < BATCHES_IN_A_SLICE; round++) batch(pool)
  return (usedBytes() - before) / (BATCH * BATCHES_IN_A_SLICE)
}

/** Promises a call. */
function promises(batch: Batch, pool: Queryable): number {
  let made = 0
  const hook = createHook({ init: (_, type) => void (made += type === 'PROMISE' ? 1 : 0) }).enable()
  batch(pool)
  hook.disable()
  return made / BATCH
}

/** Medians over rounds in which each batch has its turn. */
function bytesOf(turns: Readonly<Record<'raw' | 'rawAgain' | 'facade', () => number>>) {
  const rounds = Array.from({ length: 11 }, () => {
    const raw = turns.raw()
    return { same: turns.rawAgain() - raw, added: turns.facade() - raw }
  })
  return {
    same: quantile(
      rounds.map((one) => one.same),
      0.5,
    ),
    added: quantile(
      rounds.map((one) => one.added),
      0.5,
    ),
  }
}

/** A cutover at rest on OLD that has been through holds and flips, so that its call sites have seen every route. */
async function livedCutover(stub: pg.Pool, sampler?: Sampler) {
  const source = Object.assign(memorySource(), { sampler })
  const other = stubPool()
  const cutover = createCutover({
    name: 'bench',
    old: stub,
    new: other,
    source,
    control: false,
    // A stub has no sessions to read in.
    heldReadsMax: 0,
  })
  const { pool } = cutover
  for (const phase of ['old', 'new', 'old'] as const) {
    // The first ones wait for a phase, the others may find any route.
    const early = Array.from({ length: BATCH }, () => pool.query(TEXT, [...VALUES]))
    const followed = once(cutover, 'wish')
    source.set(phase)
    await followed
    await Promise.all(early)
    while (cutover.status().route !== 'direct') await once(cutover, 'route')
  }
  return {
    pool,
    async end() {
      await cutover.end()
      // Handed in, so ours to end: the timers of their idle clients would keep the process for ten seconds.
      await Promise.all([stub.end(), other.end()])
    },
  }
}

/** The same with a source that takes a thousand samples a second, whose timer gets a turn before each slice. */
async function sampledFacade(quads: number) {
  let taken = 0
  const sampler: Sampler = { perSecond: 1_000, active: true, take: () => void taken++ }
  const stub = stubPool()
  const cutover = await livedCutover(stub, sampler)
  const { pool } = cutover
  const slice = async (batch: Batch, on: Queryable): Promise<number> => {
    await turn()
    return timed(batch, on)
  }
  const added = await paired(
    quads,
    () => slice(rawBatch, stub),
    () => slice(sampledBatch, pool),
  )
  await cutover.end()
  return { added, taken }
}

export async function facadeOnStub(quick: boolean) {
  const stub = stubPool()
  const cutover = await livedCutover(stub)
  const pool: Queryable = cutover.pool
  if (pool.query(TEXT, VALUES) !== ANSWER)
    throw new Error('the facade does not hand the inner result through')

  const quads = quick ? 40 : 400
  const raw = (): number => timed(rawBatch, stub)
  const same = await paired(quads, raw, () => timed(rawBatchAgain, stub))
  const added = await paired(quads, raw, () => timed(facadeBatch, pool))
  const bytes = bytesOf({
    raw: () => allocated(rawBatch, stub),
    rawAgain: () => allocated(rawBatchAgain, stub),
    facade: () => allocated(facadeBatch, pool),
  })
  const promisesMade = promises(facadeBatch, pool) - promises(rawBatch, stub)
  await cutover.end()
  // Last, since from here on the call sites have seen one route more.
  const sampled = await sampledFacade(quads)
  const figures = {
    stubOverheadNanos: round(added.difference),
    stubOverheadNanosMiddleHalf: [round(added.low), round(added.high)],
    sameNanos: round(same.difference),
    sameNanosMiddleHalf: [round(same.low), round(same.high)],
    rawNanos: round(added.medianA),
    facadeNanos: round(added.medianB),
    extraBytesPerCall: round(bytes.added),
    sameBytesPerCall: round(bytes.same),
    extraPromisesPerCall: promisesMade,
    sampledOverheadNanos: round(sampled.added.difference),
    sampledOverheadNanosMiddleHalf: [round(sampled.added.low), round(sampled.added.high)],
    samplesTaken: sampled.taken,
    calls: quads * 4 * BATCH * BATCHES_IN_A_SLICE,
  }
  console.log(`facade at rest over a stub pool, batches of ${BATCH}, ${quads} quads A B B A
  raw             ${figures.rawNanos} ns a call
  raw again       ${figures.sameNanos} ns more (middle half ${figures.sameNanosMiddleHalf.join(' to ')}), ${figures.sameBytesPerCall} bytes more
  facade          ${figures.stubOverheadNanos} ns more (middle half ${figures.stubOverheadNanosMiddleHalf.join(' to ')}), ${figures.extraBytesPerCall} bytes more, ${figures.extraPromisesPerCall} promises more
  with a sampler  ${figures.sampledOverheadNanos} ns more (middle half ${figures.sampledOverheadNanosMiddleHalf.join(' to ')}), at a thousand samples a second, ${figures.samplesTaken} taken`)
  return figures
}

const round = (value: number): number => Math.round(value * 100) / 100
