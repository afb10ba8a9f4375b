// A process that adds one to one row through the facade, again and again, until it is told to stop.
import { createCutover, memorySource } from '../../src/index.js'
import type { Side } from '../../src/phase/phases.js'
import { MAPPED, SEARCH_PATH, TABLES } from './dual-write-tables.js'
import { endWithParent } from './end-with-parent.js'

export interface HammerOrder {
  readonly name: string
  readonly urls: Readonly<Record<Side, string>>
}

endWithParent()
const { name, urls } = JSON.parse(process.argv[2] ?? '{}') as HammerOrder
const pool = (side: Side) => ({ connectionString: urls[side], options: SEARCH_PATH, max: 2 })
const cutover = createCutover({
  name,
  old: pool('old'),
  new: pool('new'),
  source: memorySource('old'),
  control: true,
  mirror: 'dual-write',
  tables: TABLES.map((table) => table.old),
  dualWrite: { mapped: MAPPED, batchRows: 20 },
})
await cutover.ready()
const stop = new AbortController()
process.once('SIGTERM', () => stop.abort())
let done = 0
while (!stop.signal.aborted) {
  await cutover.pool.query('update hot set nr = nr + 1 where id = 1')
  if (++done === 1) console.log('hammering')
}
await cutover.end()
console.log(done)
