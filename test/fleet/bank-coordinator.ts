// A coordinator that is no member, as the command line is: it moves the writer once, and says what became of it.
import { migrationOf } from '../../src/cutover/migration-of.js'
import { readOptions } from '../../src/cutover/read-options.js'
import { findWriter } from '../../src/coordinator/find-writer.js'
import { movePhase } from '../../src/coordinator/move-phase.js'
import { CutoverEvents } from '../../src/events.js'
import { memorySource } from '../../src/phase/memory-source.js'
import type { Phase } from '../../src/phase/phases.js'
import { noGate } from '../../src/pool/gate.js'
import { pauseAt } from './bank-pause.js'
import { TABLES } from './bank-schema.js'
import { codeOf, say } from './bank-words.js'
import type { BankOrder } from './bank-words.js'
import { endWithParent } from './end-with-parent.js'

export interface MoveOrder extends BankOrder {
  readonly to: Phase
  readonly pauseAt: string
}

endWithParent()
const order = JSON.parse(process.argv[2] ?? '{}') as MoveOrder
const events = new CutoverEvents()
const options = readOptions({
  name: order.name,
  old: { connectionString: order.control.old },
  new: { connectionString: order.control.new },
  source: memorySource(),
  control: { oldReachedBy: order.reachedBy.old, newReachedBy: order.reachedBy.new },
  mirror: 'replication',
  tables: TABLES,
  attempts: 2,
  ...order.timings,
})
const gate = noGate(() => 'old')
const m = migrationOf(options, events, gate)
events.on('step', pauseAt({ step: order.pauseAt }))

try {
  const row = await findWriter(m)
  await movePhase(m, row?.phase ?? 'old', order.to, { onLeftBehind: () => {} })
  say({ e: 'outcome', outcome: 'done' })
} catch (error) {
  say({ e: 'outcome', outcome: codeOf(error), reason: error instanceof Error ? error.message : '' })
}
await Promise.all([m.control.old.close(), m.control.new.close()])
process.exit(0)
