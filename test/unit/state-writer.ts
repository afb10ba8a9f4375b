// A process that stores two phases in turn, as fast as it can, until it is killed.
import { StateFile } from '../../src/phase/state-file.js'

const [path = ''] = process.argv.slice(2)
const state = new StateFile(path, 'orders', (message) => console.error(message))

await state.store('shadow')
console.log('at work')
for (;;) {
  await state.store('live')
  await state.store('shadow')
}
