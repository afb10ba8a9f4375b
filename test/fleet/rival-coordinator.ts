// A coordinator that knows nothing of the others and takes no lock: it moves the writer to and fro until it is told to stop.
import { setTimeout as delay } from 'node:timers/promises'
import type { Migration } from '../../src/control/migration.js'
import { readSide } from '../../src/control/side-row.js'
import { changeWriter } from '../../src/coordinator/coordinator.js'
import { recover } from '../../src/coordinator/recover.js'
import { isCutoverError } from '../../src/errors.js'
import { migrationOver } from '../postgres/protocol/fixture.js'
import { seededRandom } from '../support/seeded-random.js'
import { endWithParent } from './end-with-parent.js'

export interface RivalOrder {
  readonly name: string
  readonly old: string
  readonly new: string
  readonly seed: number
  readonly mirror: Migration['mirror']
}

endWithParent()
const order = JSON.parse(process.argv[2] ?? '{}') as RivalOrder
const random = seededRandom(order.seed)
const m = migrationOver(order.name, order, {
  mirror: order.mirror,
  tables: ['public.log'],
  timings: { holdTimeoutMillis: 2_000, fenceTimeoutMillis: 700, prepareTimeoutMillis: 5_000 },
})

// Nothing that others have to do with: only what the rows and the fence themselves enforce is on trial.
const RIVAL = { lock: false, preflight: false }
// Stands still between two statements, now and then for longer than anybody waits; or ends there without a word.
m.events.on('step', () => {
  const chance = random()
  if (chance < 0.05) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, random() ** 2 * 1_200)
  else if (chance > 0.997) process.kill(process.pid, 'SIGKILL')
})

const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())

console.log('begun')
while (!stop.signal.aborted) {
  try {
    const rows = await Promise.all([readSide(m.control.old, m.name), readSide(m.control.new, m.name)])
    const writer = rows.find((row) => row?.status === 'writer')
    if (writer === undefined || random() < 0.1) await recover(m)
    else if (writer.side === 'old') await changeWriter(m, 'new', 'live', RIVAL)
    else await changeWriter(m, 'old', 'shadow', RIVAL)
    console.log('moved')
  } catch (error) {
    console.log(isCutoverError(error) ? error.code : `unexpected ${String(error)}`)
  }
  await delay(random() * 60)
}
await Promise.all([m.control.old.close(), m.control.new.close()])
