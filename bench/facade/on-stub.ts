// What the facade at rest adds to a query over a pool that does nothing: time, bytes and promises.
import { createHook } from 'node:async_hooks'
import { setImmediate as turn } from 'node:timers/promises'
import type { Sampler } from '../../src/index.js'
import { difference } from '../against-itself.js'
import { collect, usedBytes } from '../heap.js'
import { HEAD, line, type Outcome } from '../outcome.js'
import { paired, quantile } from '../paired.js'
import type { Report } from '../report.js'
import { livedCutover, stubPool } from './stub-pool.js'

const BATCH = 1_000
const BATCHES_IN_A_SLICE = 40
const MOST_NANOS = 20

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
  if (pool.query(TEXT, VALUES) !== stub.query(TEXT, [...VALUES]))
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
  const outcomes = [
    difference('through the facade', 'ns', added, same, {
      most: MOST_NANOS,
      remark: `${added.medianA.toFixed(1)} ns without`,
    }),
    difference('with a source that takes a thousand samples a second', 'ns', sampled.added, same, {
      remark: `${sampled.taken} samples taken`,
    }),
    // Whole ones: the least that a call could leave on the heap is twelve.
    one('further bytes on the heap', 'bytes', Math.round(bytes.added), {
      same: Math.round(bytes.same),
      most: 0,
    }),
    one('further promises', 'promises', promisesMade, { most: 0 }),
  ]
  console.log(HEAD)
  for (const outcome of outcomes) console.log(line(outcome))
  return {
    ...report(outcomes, quads),
    stubOverheadNanos: added.difference,
    extraBytesPerCall: bytes.added,
    extraPromisesPerCall: promisesMade,
  }
}

const report = (outcomes: readonly Outcome[], quads: number): Report => ({
  parts: [
    {
      title: 'What does the facade itself take?',
      how: `What a call takes above the same call of the pool inside, which answers without any work: ${quads} quads A B B A of ${BATCHES_IN_A_SLICE} batches of ${BATCH.toLocaleString('en')} calls, with the raw pool against itself. The facade is at rest and has been through holds and flips before. Promises and bytes are counted by the runtime.`,
      outcomes,
    },
  ],
})

const one = (what: string, unit: string, measured: number, bound: Partial<Outcome>): Outcome => ({
  what,
  unit,
  measured,
  ...bound,
})
