// Generates the Prisma client of the examples where it is missing or older than its schema; also a script of its own.
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const root = join(import.meta.dirname, '../..')
const schema = join(root, 'examples/prisma/schema.prisma')
const target = join(root, 'examples/prisma/generated')
const STAMP = 'made-from'

const require = createRequire(import.meta.url)

/** What the client depends on: the schema, and the version that generates it. */
function wanted(): string {
  const { version } = require('prisma/package.json') as { version: string }
  return createHash('sha256')
    .update(`${version}\n${readFileSync(schema, 'utf8')}`)
    .digest('hex')
}

function isCurrent(folder: string): boolean {
  const stamp = join(folder, STAMP)
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted()
}

/** Any number of processes may do this at once: each generates aside, and puts the whole folder in place. */
export default async function generatePrismaClient(): Promise<void> {
  if (isCurrent(target)) return
  const cache = join(root, 'node_modules/.cache')
  mkdirSync(cache, { recursive: true })
  // On the same disk as its place, so that it can be moved there in one step.
  const aside = mkdtempSync(join(cache, 'prisma-'))
  try {
    const copy = join(aside, 'schema.prisma')
    cpSync(schema, copy)
    await generate(copy)
    const made = join(aside, 'generated')
    writeFileSync(join(made, STAMP), wanted())
    putInPlace(made, aside)
  } finally {
    rmSync(aside, { recursive: true, force: true })
  }
}

async function generate(copy: string): Promise<void> {
  const prisma = join(dirname(require.resolve('prisma/package.json')), 'build/index.js')
  const env = {
    ...process.env,
    CHECKPOINT_DISABLE: '1',
    PRISMA_HIDE_UPDATE_MESSAGE: '1',
    // Prisma downloads this program before it generates, and does not start it: with any file that exists it needs no
    // network.
    PRISMA_SCHEMA_ENGINE_BINARY: process.env['PRISMA_SCHEMA_ENGINE_BINARY'] ?? process.execPath,
  }
  try {
    await promisify(execFile)(process.execPath, [prisma, 'generate', '--schema', copy], { cwd: root, env })
  } catch (error) {
    if (error instanceof Error && 'stdout' in error) error.message += `\n${String(error.stdout)}`
    throw error
  }
}

function putInPlace(made: string, aside: string): void {
  if (isCurrent(target)) return
  try {
    if (existsSync(target)) renameSync(target, join(aside, 'outdated'))
    renameSync(made, target)
  } catch (error) {
    // Another process was first.
    if (!isCurrent(target)) throw error
  }
}

if (process.argv[1] === import.meta.filename) await generatePrismaClient()
