// How long the main entry takes to load over pg itself, each time in a process of its own.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { quantile } from './paired.js'

const ROUNDS = 21
// The benchmarks run compiled, in a folder of their own.
const root = process.cwd()

export async function load() {
  // Inside node_modules, so that `pg` is found from there and nobody's dist is touched.
  const cache = join(root, 'node_modules/.cache')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'pg-cutover-load-'))
  try {
    execFileSync(
      process.execPath,
      [
        join(root, 'node_modules/typescript/bin/tsc'),
        '-p',
        join(root, 'tsconfig.build.json'),
        '--outDir',
        folder,
      ],
      { stdio: 'inherit' },
    )
    writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
    const entry = pathToFileURL(join(folder, 'src/index.js')).href
    const script = `
      const start = performance.now()
      await import('pg')
      const middle = performance.now()
      await import(${JSON.stringify(entry)})
      console.log(JSON.stringify([middle - start, performance.now() - middle]))`
    const times = Array.from({ length: ROUNDS }, () => {
      const printed = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
        cwd: root,
        encoding: 'utf8',
      })
      const [pg, entryMillis] = JSON.parse(printed) as [number, number]
      return { pg, entryMillis }
    })
    const figures = {
      loadMillis: round(
        quantile(
          times.map((time) => time.entryMillis),
          0.5,
        ),
      ),
      slowestLoadMillis: round(
        quantile(
          times.map((time) => time.entryMillis),
          1,
        ),
      ),
      pgMillis: round(
        quantile(
          times.map((time) => time.pg),
          0.5,
        ),
      ),
    }
    console.log(`main entry, built, median of ${ROUNDS} processes
  pg itself       ${figures.pgMillis} ms
  pg-cutover      ${figures.loadMillis} ms more (slowest ${figures.slowestLoadMillis})`)
    return figures
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const round = (value: number): number => Math.round(value * 10) / 10
