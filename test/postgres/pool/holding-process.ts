// A process with nothing else in it that holds ten thousand calls and lets them go, and says what that cost.
import { readFileSync } from 'node:fs'
import pg from 'pg'
import { keptBytes } from '../../../bench/heap.js'
import { CutoverEvents } from '../../../src/events.js'
import { cutoverPool } from '../../../src/pool/cutover-pool.js'
import { innerPool } from '../../../src/pool/pg-internals.js'
import { PoolCore } from '../../../src/pool/pool-core.js'
import { KnownTexts } from '../../../src/reads/known-texts.js'

const HELD = 10_000
const ROUNDS = 2

const [kind = '', oldUrl = '', newUrl = ''] = process.argv.slice(2)

const calls: Record<string, (pool: pg.Pool, served: () => void) => unknown> = {
  'pool.query': (pool) => pool.query('select 1'),
  'pool.query with a callback': (pool, served) => pool.query('select 1', served),
  connect: (pool) => pool.connect(),
}
const call = calls[kind]
if (call === undefined) throw new Error(`no such call: ${kind}`)

const texts = new KnownTexts()
await texts.load()
const inner = (connectionString: string) => ({
  inner: innerPool(new pg.Pool({ connectionString, max: 10 })),
  handedIn: false,
})
const core = new PoolCore({
  name: 'orders',
  pools: { old: inner(oldUrl), new: inner(newUrl) },
  events: new CutoverEvents(),
  texts,
  // All of it is to wait.
  heldReadsMax: 0,
  // Such that statements may run again, which is what weighs most.
  onFence: () => undefined,
})
const pool = cutoverPool(core)
core.release('old')
// As many connections on the other side as there are here, all open before the hold.
await Promise.all(Array.from({ length: 10 }, () => pool.query('select pg_sleep(0.02)')))

/** Milliseconds that this very thread has run: other processes, and threads of the garbage collector, are not in it. */
function ranMillis(): number {
  try {
    const [nanos] = readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')
    return Number(nanos) / 1e6
  } catch {
    return performance.now()
  }
}

/** The longest turn of the event loop, by the clock and by what this thread ran in it. */
function watchTurns(): { stop(): { millis: number; ownMillis: number } } {
  let longest = { millis: 0, ownMillis: 0 }
  let last = { at: performance.now(), ran: ranMillis() }
  let watching = true
  const turn = (): void => {
    const now = { at: performance.now(), ran: ranMillis() }
    longest = {
      millis: Math.max(longest.millis, now.at - last.at),
      ownMillis: Math.max(longest.ownMillis, now.ran - last.ran),
    }
    last = now
    if (watching) setImmediate(turn)
  }
  setImmediate(turn)
  return {
    stop() {
      watching = false
      turn()
      return longest
    },
  }
}

const rounds: object[] = []
for (let round = 0; round < ROUNDS; round++) {
  await core.arm()
  core.hold({ millis: 60_000, reads: 'flow', ended: () => Promise.reject(new Error('the lease has ended')) })
  let count = 0
  let allServed = (): void => {}
  const all = new Promise<void>((resolve) => {
    allServed = resolve
  })
  const served = (): void => {
    if (++count === HELD) allServed()
  }
  const held: unknown[] = Array.from({ length: HELD })
  const before = keptBytes()
  for (let nr = 0; nr < HELD; nr++) held[nr] = call(pool, served)
  const bytes = keptBytes() - before
  if (core.line.length !== HELD) throw new Error(`${core.line.length} are held`)
  const order: number[] = []
  const take = async (promised: unknown, nr: number): Promise<void> => {
    const { release } = (await promised) as { release?: () => void }
    order.push(nr)
    release?.()
    served()
  }
  const taken = kind.includes('callback') ? [] : held.map(take)
  const turns = watchTurns()
  core.release(core.side === 'old' ? 'new' : 'old')
  await all
  const { millis, ownMillis } = turns.stop()
  await Promise.all(taken)
  const inOrder = order.every((nr, place) => nr === place)
  rounds.push({ bytes, millis, ownMillis, inOrder })
}
await core.end(true)
console.log(JSON.stringify(rounds))
