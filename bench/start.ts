// Compiles the project and runs one benchmark: what runs TypeScript as it is wraps functions, and makes them dearer.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import generatePrismaClient from '../test/support/prisma-client.js'
import { commitOf } from './machine.js'

await generatePrismaClient()
const root = join(import.meta.dirname, '..')
// Inside node_modules, so that packages are found from there.
const cache = join(root, 'node_modules/.cache')
mkdirSync(cache, { recursive: true })
// Of what is compiled: while it runs for an hour there may be another commit.
process.env['BENCH_COMMIT'] ??= commitOf(root)
const folder = mkdtempSync(join(cache, 'pg-cutover-bench-'))
try {
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }')
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  const options = ['--noEmit', 'false', '--noCheck', '--rootDir', '.', '--outDir', folder]
  execFileSync(process.execPath, [compiler, ...options], { cwd: root, stdio: 'inherit' })
  const main = join(folder, 'bench/main.js')
  const { status } = spawnSync(process.execPath, [main, ...process.argv.slice(2)], {
    cwd: root,
    stdio: 'inherit',
  })
  process.exitCode = status ?? 1
} finally {
  rmSync(folder, { recursive: true, force: true })
}
