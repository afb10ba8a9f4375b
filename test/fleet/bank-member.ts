// One process of the bank: a service that works through the facade, tells what it meets, and moves the writer when told to.
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { createCutover, memorySource } from '../../src/index.js'
import type { Cutover } from '../../src/index.js'
import { Board, FateLog } from './bank-board.js'
import { shiftClock } from './bank-clock.js'
import { pauseAt } from './bank-pause.js'
import { TABLES } from './bank-schema.js'
import { CALL_MILLIS, codeOf, say } from './bank-words.js'
import type { BankOrder, Command } from './bank-words.js'
import { readAlong, workAsTeller } from './bank-work.js'
import type { Teller } from './bank-work.js'

const order = JSON.parse(process.argv[2] ?? '{}') as BankOrder
const stop = new AbortController()
const awake = stoppedTime()
const wanted: { step: string | undefined } = { step: undefined }
let writes = 0

const pool = (connectionString: string) => ({
  connectionString,
  max: 3,
  application_name: 'teller',
  connectionTimeoutMillis: CALL_MILLIS,
  query_timeout: CALL_MILLIS,
})
const cutover: Cutover = createCutover({
  name: order.name,
  old: pool(order.pools.old),
  new: pool(order.pools.new),
  source: memorySource(),
  control: {
    old: order.control.old,
    new: order.control.new,
    oldReachedBy: order.reachedBy.old,
    newReachedBy: order.reachedBy.new,
  },
  mirror: 'replication',
  tables: TABLES,
  shadow: false,
  attempts: 2,
  ...order.timings,
})
cutover.pool.on('error', () => {})
const hold = watchHolds()
cutover.on('step', pauseAt(wanted))

createInterface({ input: process.stdin })
  .on('line', (line) => obey(JSON.parse(line) as Command))
  // However the parent has ended.
  .on('close', () => process.exit(1))

function obey(command: Command): void {
  switch (command.do) {
    case 'advance':
      wanted.step = command.pauseAt
      void cutover.advance(command.to).then(
        () => say({ e: 'outcome', outcome: 'done' }),
        (error: unknown) =>
          say({ e: 'outcome', outcome: codeOf(error), reason: error instanceof Error ? error.message : '' }),
      )
      return
    case 'where': {
      const { phase } = cutover
      say({ e: 'where', id: command.id, phase, ...hold(), writes })
      return
    }
    case 'clock':
      shiftClock(command.millis)
      return
    case 'end':
      stop.abort()
  }
}

/** How long this process was stopped: no timer of its own fires meanwhile, and none of its promises can be held to it. */
function stoppedTime(): () => number {
  const every = 100
  let last = performance.now()
  let stopped = 0
  const look = (): void => {
    const now = performance.now()
    if (now - last > 5 * every) stopped += now - last - every
    last = now
  }
  setInterval(look, every).unref()
  return () => {
    look()
    return stopped
  }
}

function watchHolds(): () => { side: 'old' | 'new'; route: string; heldMillis: number } {
  let began: { at: number; stopped: number } | undefined
  let now: { side: 'old' | 'new'; route: string } = { side: 'old', route: 'unknown' }
  const length = (): number => (began ? performance.now() - began.at - (awake() - began.stopped) : 0)
  cutover.on('route', ({ route, side }) => {
    now = { route, side: side as 'old' | 'new' }
    if (route === 'held') began ??= { at: performance.now(), stopped: awake() }
    else if (began) {
      say({ e: 'hold', millis: Math.round(length()), side: now.side })
      began = undefined
    }
  })
  return () => ({ ...now, heldMillis: Math.round(length()) })
}

const board = new Board(order.board)
const log = new FateLog(order.log)
// It tries again by itself.
while (cutover.phase === undefined)
  await cutover.ready().catch(async (error: unknown) => {
    say({ e: 'error', code: `start ${codeOf(error)}`, message: error instanceof Error ? error.message : '' })
    await delay(100)
  })
say({ e: 'ready' })
const teller = (writer: number): Teller => ({
  cutover,
  order,
  board,
  log,
  writer,
  acknowledged: () => void writes++,
  stopped: awake,
})
await Promise.all([
  ...order.writers.map((writer) => workAsTeller(teller(writer), stop.signal)),
  ...(order.readMillis > 0 ? [readAlong(teller(order.writers[0] ?? 0), stop.signal)] : []),
])
await cutover.end()
process.exit(0)
