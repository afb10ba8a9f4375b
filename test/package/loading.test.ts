// Looks at what importing the package loads, and says how long it takes over pg itself.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { packedConsumer } from '../support/packed.js'
import type { Consumer } from '../support/packed.js'

const ROUNDS = 9

/** Prints each module as the loader resolves it. CommonJS below the first module is not shown: only pg has any. */
const WITNESS = `data:text/javascript,${encodeURIComponent(`
import { register } from 'node:module'
register('data:text/javascript,' + encodeURIComponent(\`
export async function resolve(specifier, context, next) {
  const found = await next(specifier, context)
  process._rawDebug('LOADED ' + found.url)
  return found
}\`))
`)}`

let consumer: Consumer

beforeAll(async () => {
  consumer = await packedConsumer()
})

afterAll(() => consumer.remove())

it('loads pg, built-in modules and its own files without the command line, and nothing else', async () => {
  consumer.write('load.js', `import 'pg-cutover'\n`)
  const { code, stderr } = await consumer.node('--import', WITNESS, 'load.js')
  expect(code).toBe(0)
  const loaded = stderr.split('\n').flatMap((line) => (line.startsWith('LOADED ') ? [line.slice(7)] : []))
  const own = loaded.filter((url) => url.includes('/node_modules/pg-cutover/dist/'))
  expect(own.length).toBeGreaterThan(10)
  expect(own.filter((url) => url.includes('/dist/cli/'))).toEqual([])
  const others = loaded.filter(
    (url) => !own.includes(url) && !url.startsWith('node:') && !url.endsWith('/load.js'),
  )
  expect(others.filter((url) => !url.includes('/node_modules/pg/'))).toEqual([])
  console.log(`loads ${new Set(own).size} files of its own`)
})

it('says how long it takes to load', async () => {
  consumer.write(
    'time.js',
    `const start = performance.now()
await import('pg')
const between = performance.now()
await import('pg-cutover')
console.log(between - start, performance.now() - between)
`,
  )
  const rounds: { pg: number; own: number }[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const [pg = NaN, own = NaN] = (await consumer.node('time.js')).stdout.split(' ').map(Number)
    rounds.push({ pg, own })
  }
  const middle = (times: number[]): number => times.toSorted((a, b) => a - b)[(ROUNDS - 1) / 2] ?? NaN
  const pg = middle(rounds.map((round) => round.pg))
  const own = middle(rounds.map((round) => round.own))
  console.log(
    `pg loads in ${pg.toFixed(1)} ms, pg-cutover in ${own.toFixed(1)} ms more (median of ${ROUNDS})`,
  )
  expect(own).toBeGreaterThan(0)
})
