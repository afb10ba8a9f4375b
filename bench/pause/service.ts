// One process of a service under traffic, which moves its writer there and back, on two servers of its own.
import { setTimeout as delay } from 'node:timers/promises'
import {
  createCutover,
  isCutoverError,
  memorySource,
  type Cutover,
  type CutoverEvent,
  type StepEvent,
} from '../../src/index.js'
import { startPair, type Pair } from '../../test/support/servers.js'
import { databases, ITEM, someItems } from '../dual-write/ground.js'
import { moveOf, type Move } from './move.js'
import { capacity, Traffic, type Pace } from './traffic.js'

export interface Setting extends Pace {
  readonly connections: number
  /** How long a query is at work that is in flight when the hold begins; 0 for none. */
  readonly longMillis: number
}

const ROWS = 10_000
/** Of traffic before a move begins, and after it has ended. */
const REST_MILLIS = 250
const CAPACITY_MILLIS = 1_000
/** A line of callers that grows and grows would be measured otherwise, and not the move. */
const SHARE_OF_CAPACITY = 0.7
const MOST_REFUSED = 3

export interface Moved {
  readonly setting: Setting
  readonly moves: readonly Move[]
  readonly failed: number
  readonly failure: string | undefined
  /** Writes a second that were asked for: at most a share of what the machine does. */
  readonly asked: number
  /** Why moves were given up, after which everything was as before. */
  readonly refused: readonly string[]
}

/** Fresh servers each time: what one setting leaves in them must not weigh on the next, and its first move is a first one. */
export async function moved(setting: Setting, count: number, note: (move: Move) => void): Promise<Moved> {
  const pair = await startPair({ settings: { shared_buffers: '128MB', max_wal_size: '4GB' } })
  try {
    const cutover = await served(pair, setting)
    try {
      return { setting, ...(await movedUnderTraffic(cutover, pair, setting, { count, note })) }
    } finally {
      await cutover.end()
    }
  } finally {
    await pair.destroy()
  }
}

async function served(pair: Pair, { connections }: Setting): Promise<Cutover> {
  const urls = await databases(pair, 'bench_pause', ITEM, someItems(1, ROWS))
  const cutover = createCutover({
    name: 'bench',
    old: { connectionString: urls.old, max: connections },
    new: { connectionString: urls.new, max: connections },
    source: memorySource('old'),
    control: true,
    mirror: 'replication',
    shadow: false,
  })
  cutover.pool.on('error', () => undefined)
  try {
    await cutover.ready()
    // The copy and its end, with nothing to disturb them.
    await cutover.advance('mirror')
    await cutover.advance('shadow')
    return cutover
  } catch (error) {
    await cutover.end()
    throw error
  }
}

async function movedUnderTraffic(
  cutover: Cutover,
  pair: Pair,
  { writes, reads, connections, longMillis }: Setting,
  { count, note }: { readonly count: number; readonly note: (move: Move) => void },
): Promise<Omit<Moved, 'setting'>> {
  // Once for the compiler, and for connections that are opened.
  await capacity(cutover.pool, connections, CAPACITY_MILLIS / 4)
  const most = await capacity(cutover.pool, connections, CAPACITY_MILLIS)
  const asked = Math.min(writes, Math.round((SHARE_OF_CAPACITY * most) / 10) * 10)
  const pace = { writes: asked, reads }
  const traffic = new Traffic(cutover.pool, { oldPort: pair.old.port, rows: ROWS, pace })
  traffic.start()
  const moves: Move[] = []
  const refused: string[] = []
  try {
    while (moves.length < count) {
      try {
        const move = await oneMove(cutover, traffic, longMillis)
        moves.push(move)
        note(move)
      } catch (error) {
        if (refused.length === MOST_REFUSED || !isCutoverError(error)) throw error
        console.error(`  given up: ${error.message}`)
        refused.push(error.message)
      }
    }
  } finally {
    await traffic.stop()
  }
  const { failed, failure, unsent } = traffic
  if (unsent > 0) console.error(`  ${unsent} calls were left out, since the machine did not keep up`)
  return { moves, failed, failure, asked, refused }
}

async function oneMove(cutover: Cutover, traffic: Traffic, longMillis: number): Promise<Move> {
  let heldAt = Number.NaN
  let openedAt = Number.NaN
  let aborted = 0
  const onStep = ({ step, state }: StepEvent): void => {
    if (step === 'hold' && state === 'started') heldAt = performance.now()
    if (step === 'open' && state === 'done') openedAt = performance.now()
  }
  const onCutover = ({ outcome }: CutoverEvent): void => void (outcome === 'aborted' && aborted++)
  traffic.forget()
  await delay(REST_MILLIS)
  cutover.on('step', onStep)
  cutover.on('cutover', onCutover)
  try {
    const move = () => cutover.advance(cutover.phase === 'live' ? 'shadow' : 'live')
    const { event, endedAt } =
      longMillis === 0
        ? { event: await move(), endedAt: undefined }
        : await withLongQuery(cutover, longMillis, move)
    await delay(REST_MILLIS)
    return moveOf({ calls: traffic.calls, heldAt, openedAt, longEndedAt: endedAt, aborted }, event)
  } finally {
    cutover.off('step', onStep)
    cutover.off('cutover', onCutover)
  }
}

/** It begins when the preparation ends, which is refused over an old one, and nothing lies between that and the hold. */
async function withLongQuery<T>(cutover: Cutover, millis: number, work: () => Promise<T>) {
  const client = await cutover.pool.connect()
  let under: Promise<number> | undefined
  const run = async (): Promise<number> => {
    await client.query('select pg_sleep($1)', [millis / 1_000])
    const endedAt = performance.now()
    client.release()
    return endedAt
  }
  const onStep = ({ step, state }: StepEvent): void => {
    if (step === 'prepare' && state === 'done') under ??= run()
  }
  cutover.on('step', onStep)
  try {
    const event = await work()
    return { event, endedAt: await under }
  } finally {
    cutover.off('step', onStep)
    if (!under) client.release()
    await under?.catch(() => undefined)
  }
}
