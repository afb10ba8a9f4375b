// Looks at what importing the package loads, and says how long it takes over pg itself.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { adapterEntries, compiledConsumer } from '../support/packed.js'
import type { Consumer } from '../support/packed.js'

// Many, since what shares the machine comes and goes within seconds.
const ROUNDS = 15

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
  consumer = await compiledConsumer()
})

afterAll(() => consumer.remove())

it.each([
  ['the main entry', ['pg-cutover']],
  ['every adapter', adapterEntries.map((entry) => `pg-cutover/${entry}`)],
])(
  '%s loads pg, built-in modules and its own files without the command line, and nothing else',
  async (_, entries) => {
    consumer.write('load.js', entries.map((entry) => `import '${entry}'\n`).join(''))
    const { code, stderr } = await consumer.node('--import', WITNESS, 'load.js')
    expect(code).toBe(0)
    const loaded = stderr.split('\n').flatMap((line) => (line.startsWith('LOADED ') ? [line.slice(7)] : []))
    const own = loaded.filter((url) => url.includes('/node_modules/pg-cutover/dist/'))
    expect(own.length).toBeGreaterThan(10)
    expect(own.filter((url) => url.includes('/dist/src/cli/'))).toEqual([])
    const others = loaded.filter(
      (url) => !own.includes(url) && !url.startsWith('node:') && !url.endsWith('/load.js'),
    )
    expect(others.filter((url) => !url.includes('/node_modules/pg/'))).toEqual([])
    console.log(`loads ${new Set(own).size} files of its own`)
  },
)

it('takes well below the time of pg itself on top of it', async () => {
  consumer.write(
    'time.js',
    `const lap = () => ({ millis: performance.now(), cpu: process.cpuUsage() })
const between = (a, b) => ({
  millis: b.millis - a.millis,
  cpu: (b.cpu.user + b.cpu.system - a.cpu.user - a.cpu.system) / 1000,
})
const start = lap()
await import('pg')
const middle = lap()
await import('pg-cutover')
console.log(JSON.stringify({ pg: between(start, middle), own: between(middle, lap()) }))
`,
  )
  const rounds: Record<'pg' | 'own', { millis: number; cpu: number }>[] = []
  for (let round = 0; round < ROUNDS; round++)
    rounds.push(JSON.parse((await consumer.node('time.js')).stdout))
  for (const what of ['millis', 'cpu'] as const) {
    // Within one process both were hit alike by whoever shares the machine.
    const ratio = median(rounds.map(({ own, pg }) => own[what] / pg[what]))
    const pg = median(rounds.map((round) => round.pg[what]))
    console.log(`${what}: pg ${pg.toFixed(1)}, pg-cutover ${ratio.toFixed(2)} of it`)
    if (what === 'cpu') expect(ratio).toBeLessThan(0.75)
  }
})

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}
