// Says whether the promises of a process are tracked before, while and after a cutover has use for pins.
import { executionAsyncId } from 'node:async_hooks'
import { createCutover, memorySource } from '../../../src/index.js'

const [, , oldUrl, newUrl] = process.argv

/** Where hooks are set, each continuation runs under an id of its own, else under that of the callback that it follows. */
async function areTracked(): Promise<boolean> {
  const ids = new Set<number>()
  for (let count = 0; count < 3; count++) {
    await Promise.resolve()
    ids.add(executionAsyncId())
  }
  return ids.size > 1
}

const source = memorySource('old')
const cutover = createCutover({
  name: 'orders',
  old: { connectionString: oldUrl },
  new: { connectionString: newUrl },
  source,
})
await cutover.ready()
const before = await areTracked()
await cutover.pin(() => cutover.pool.query('select 1'))
const atRest = await areTracked()

let during: boolean | undefined
const look = async (): Promise<void> => {
  await cutover.pool.query('select 1')
  during = await areTracked()
}
const told = new Promise<void>((resolve, reject) => {
  cutover.on('route', ({ route }) => {
    if (route === 'armed' && during === undefined) cutover.pin(look).then(resolve, reject)
  })
})
await cutover.advance('new')
await told
const after = await areTracked()

// The storage is in use when the pool is ended: nothing comes to rest any more.
const armed = new Promise<void>((resolve, reject) => {
  cutover.on('route', ({ route }) => {
    if (route === 'armed') cutover.pin(() => Promise.resolve()).then(resolve, reject)
  })
})
const given = cutover.advance('old').catch(() => {})
await armed
const duringAgain = await areTracked()
await cutover.pool.end()
const ended = await areTracked()
await Promise.all([cutover.end(), given])
console.log(JSON.stringify({ before, atRest, during, after, duringAgain, ended }))
