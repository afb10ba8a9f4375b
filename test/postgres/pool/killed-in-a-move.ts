// A process that is killed between the note of its move and the flip: a client that is out keeps the drain from its end.
import { createCutover, memorySource } from '../../../src/index.js'

const [stateFile = '', oldUrl = '', newUrl = ''] = process.argv.slice(2)

const source = memorySource('old')
const cutover = createCutover({
  name: 'orders',
  old: { connectionString: oldUrl },
  new: { connectionString: newUrl },
  source,
  stateFile,
  holdTimeoutMillis: 10_000,
  drainTimeoutMillis: 10_000,
})
await cutover.ready()
await cutover.pool.connect()
cutover.on('step', ({ step, state }) => {
  if (step === 'drain' && state === 'started') console.log(`${cutover.phase}, draining`)
})
source.set('live')
