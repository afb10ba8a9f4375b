// Says what a promise costs in a process before, while and after a cutover has use for pins, in nanoseconds.
import { createCutover, memorySource } from '../../../src/index.js'

const [, , oldUrl, newUrl] = process.argv

async function promiseNanos(): Promise<number> {
  let least = Infinity
  for (let slice = 0; slice < 15; slice++) {
    const start = performance.now()
    for (let count = 0; count < 20_000; count++) await Promise.resolve()
    least = Math.min(least, performance.now() - start)
  }
  return (least * 1e6) / 20_000
}

const source = memorySource('old')
const cutover = createCutover({
  name: 'orders',
  old: { connectionString: oldUrl },
  new: { connectionString: newUrl },
  source,
})
await cutover.ready()
await promiseNanos()
const before = await promiseNanos()
await cutover.pin(() => cutover.pool.query('select 1'))
const atRest = await promiseNanos()

let during = 0
const measure = async (): Promise<void> => {
  await cutover.pool.query('select 1')
  during = await promiseNanos()
}
const told = new Promise<void>((resolve, reject) => {
  cutover.on('route', ({ route }) => {
    if (route === 'armed' && during === 0) cutover.pin(measure).then(resolve, reject)
  })
})
await cutover.advance('new')
await told
const after = await promiseNanos()

// The storage is in use when the pool is ended: nothing comes to rest any more.
const armed = new Promise<void>((resolve, reject) => {
  cutover.on('route', ({ route }) => {
    if (route === 'armed') cutover.pin(() => Promise.resolve()).then(resolve, reject)
  })
})
const given = cutover.advance('old').catch(() => {})
await armed
await cutover.pool.end()
const ended = await promiseNanos()
await Promise.all([cutover.end(), given])
console.log(JSON.stringify({ before, atRest, during, after, ended }))
