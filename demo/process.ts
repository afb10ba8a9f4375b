// A further process of the demo's application: carries a part of the load, and tells the demo all that it was told.
import { beginningOfClock } from '../test/support/one-clock.js'
import type { EventMap, Phase } from '../src/index.js'
import { openApplication, tallyOf } from './application.js'
import { Ledger } from './ledger.js'
import { hear } from './movers.js'
import { PAGE_MILLIS } from './process-words.js'
import type { Command, Order, Said } from './process-words.js'
import { messageOf } from './verdict.js'
import { startWorkload } from './workload.js'

const order = JSON.parse(process.argv[2] ?? '{}') as Order
const { urls, ports, load, seed, part, mirror, processes } = order

// However the demo has ended.
process.once('disconnect', () => process.exit(1))
// Ctrl-C reaches every process of a terminal: the demo then says what there is to say.
process.once('SIGINT', () => process.exit(130))

const say = (said: Said): void => void process.send?.(said)
const ledger = new Ledger(part.process, processes)
const flag = await hear(order.flag)
const cutover = openApplication({
  urls,
  size: load.writers + load.readers,
  source: flag.source,
  autoAdvance: flag.autoAdvance,
  mirror,
  slow: order.slow,
  warn: (message) => say({ e: 'warning', message }),
})

const shift = beginningOfClock() - order.clock
const told = { entries: 0, reads: 0, failures: 0, stale: 0 }

function turnPage(): void {
  const entries = ledger.entries.slice(told.entries)
  const reads = ledger.reads.slice(told.reads)
  const failures = ledger.failures.slice(told.failures)
  const stale = ledger.stale - told.stale
  if (entries.length + reads.length + failures.length === 0) return
  told.entries += entries.length
  told.reads += reads.length
  told.failures += failures.length
  told.stale += stale
  const moved = <T extends { sent: number; acked: number }>(one: T): T => ({
    ...one,
    sent: one.sent + shift,
    acked: one.acked + shift,
  })
  say({
    e: 'page',
    page: {
      entries: entries.map(moved),
      reads: reads.map(moved),
      // An error is no message.
      failures: failures.map(({ what, at, error }) => ({ what, at: at + shift, error: messageOf(error) })),
      stale,
    },
  })
}

const now = (): number => performance.now() + shift
cutover.on('phase', ({ to }: EventMap['phase'][0]) => say({ e: 'phase', phase: to as Phase, at: now() }))
cutover.on('step', (step) => say({ e: 'step', step, at: now() }))
cutover.on('cutover', (event) => say({ e: 'cutover', cutover: event }))
await cutover.ready()
const workload = await startWorkload(cutover.pool, ledger, {
  seed,
  load,
  part,
  sideOf: (port) => (port === ports.old ? 'old' : 'new'),
})
const pages = setInterval(turnPage, PAGE_MILLIS)

const DUTIES: Readonly<Record<Command['do'], () => Promise<void> | void>> = {
  go: () => workload.go(),
  stop: () => workload.stop(),
  tell: () => say({ e: 'tally', tally: tallyOf(cutover) }),
  async end() {
    clearInterval(pages)
    await workload.stop()
    await cutover.end()
    await flag.close()
  },
}

async function obey({ do: duty, nr }: Command): Promise<void> {
  await DUTIES[duty]()
  turnPage()
  say({ e: 'done', nr })
}

process.on('message', (command: Command) => {
  obey(command).catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
})
say({ e: 'done', nr: 0 })
