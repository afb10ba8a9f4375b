// Gates of a call through the facade at rest, over a pool that answers at once: its CPU time, its bytes and its promises.
import { createHook } from 'node:async_hooks'
import type pg from 'pg'
import { livedCutover, stubPool } from '../facade/stub-pool.js'
import { collect, usedBytes } from '../heap.js'
import { BROKEN_ROUTES } from './broken-routes.js'
import { chosen, type Gate, type OpenGate } from './gate.js'
import { cpuOf } from './quads.js'

const BATCH = 1_000
// So few that the garbage of something broken brings on no collection either.
const CALLS_WEIGHED = 5 * BATCH

const TEXT = 'select $1::int'
const VALUES: readonly unknown[] = [1]

interface Queryable {
  query(text: string, values: readonly unknown[]): unknown
}

interface Pools {
  readonly raw: pg.Pool
  readonly pool: pg.Pool
}

// Twice the same, since a function that saw both pools would be compiled for both, as no call site of a service is.
function rawBatch(pool: Queryable): unknown {
  let last: unknown
  for (let call = 0; call < BATCH; call++) last = pool.query(TEXT, VALUES)
  return last
}

function facadeBatch(pool: Queryable): unknown {
  let last: unknown
  for (let call = 0; call < BATCH; call++) last = pool.query(TEXT, VALUES)
  return last
}

const MAP = new Map(['orders', 'items', 'people', 'places'].map((name, at) => [`flag-${name}`, at]))
const KEYS = [...MAP.keys()]

function mapBatch(): number {
  let sum = 0
  for (let call = 0; call < BATCH; call++) sum += MAP.get(KEYS[call & 3] ?? '') ?? 0
  return sum
}

type Batch = typeof rawBatch

/** Bytes a call, from the growth of the heap without a collection. */
function allocated(batch: Batch, pool: Queryable): number {
  collect()
  const before = usedBytes()
  for (let call = 0; call < CALLS_WEIGHED; call += BATCH) batch(pool)
  return (usedBytes() - before) / CALLS_WEIGHED
}

/** Promises a call. */
function promises(batch: Batch, pool: Queryable): number {
  let made = 0
  const hook = createHook({ init: (_, type) => void (made += type === 'PROMISE' ? 1 : 0) }).enable()
  batch(pool)
  hook.disable()
  return made / BATCH
}

const opened =
  (sampleOf: (parts: Pools) => OpenGate['sample']) =>
  async (variant: string | undefined): Promise<OpenGate> => {
    const broken = await chosen(BROKEN_ROUTES, variant, undefined)?.()
    const raw = stubPool()
    const cutover = await livedCutover(raw)
    const { pool } = cutover
    if (broken) Reflect.get(pool, 'swapRoute').call(pool, broken.route(raw))
    return {
      sample: sampleOf({ raw, pool }),
      close: async () => {
        await cutover.end()
        await broken?.close?.()
      },
    }
  }

/**
 * What the facade adds to a call is so little that it says nothing in the raw pool's own cost, which is next to none either. It
 * is told in entries of a Map, the least that somebody would pay who asks anything for each query.
 */
function inEntries({ raw, pool }: Pools): () => Promise<number> {
  const slices = {
    // The last answer is awaited, since what is put behind an answer costs when that has come.
    raw: cpuOf(() => rawBatch(raw)),
    facade: cpuOf(() => facadeBatch(pool)),
    map: cpuOf(mapBatch),
  }
  const names = ['raw', 'facade', 'map'] as const
  let turn = 0
  return async () => {
    const cost = { raw: 0, facade: 0, map: 0 }
    // There and back, and another one first each time.
    const way = names.map((_, at) => names[(at + turn) % names.length] ?? 'raw')
    turn++
    for (const name of [...way, ...way.toReversed()]) cost[name] += await slices[name]()
    return (cost.facade - cost.raw) / (cost.map - cost.raw)
  }
}

export const callCpu: Gate = {
  what: 'CPU time that the facade adds to a call, in that of an entry of a Map',
  unit: '×',
  most: 1,
  warmUp: 20,
  variants: { plain: 'passes', async: 'fails', finally: 'fails', flag: 'fails', context: 'fails' },
  open: opened(inEntries),
}

export const callBytes: Gate = {
  what: 'bytes on the heap that the facade adds to a call',
  unit: 'bytes',
  // An object of the smallest kind is 12 bytes or more.
  most: 6,
  warmUp: 4,
  variants: { plain: 'passes', async: 'fails', finally: 'fails', copy: 'fails' },
  open: opened(
    ({ raw, pool }) =>
      () =>
        allocated(facadeBatch, pool) - allocated(rawBatch, raw),
  ),
}

export const callPromises: Gate = {
  what: 'promises that the facade adds to a call',
  unit: 'promises',
  most: 0,
  warmUp: 1,
  variants: { plain: 'passes', async: 'fails', finally: 'fails' },
  open: opened(
    ({ raw, pool }) =>
      () =>
        promises(facadeBatch, pool) - promises(rawBatch, raw),
  ),
}
