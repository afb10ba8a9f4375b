// Ten thousand held calls: what they weigh, and that their release never blocks the event loop for long.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { compiled } from '../../support/compiled.js'
import { sides } from './fixture.js'

const { urls } = await sides()

const MOST_BYTES = 15_000_000
const LONGEST_BLOCK_MILLIS = 10

const run = promisify(execFile)
const script = fileURLToPath(new URL('holding-process.ts', import.meta.url))

interface Round {
  readonly bytes: number
  readonly millis: number
  readonly ownMillis: number
  readonly inOrder: boolean
}

it.each(['pool.query', 'pool.query with a callback', 'connect'])('%s', async (kind) => {
  const { stdout } = await run(process.execPath, [compiled(script), kind, urls.old, urls.new])
  const rounds = JSON.parse(stdout) as Round[]
  const bytes = Math.min(...rounds.map((round) => round.bytes))
  // Of this thread's own time, and the best of two, since this machine does other things too.
  const block = Math.min(...rounds.map((round) => round.ownMillis))
  expect(bytes, stdout).toBeLessThan(MOST_BYTES)
  expect(block, stdout).toBeLessThanOrEqual(LONGEST_BLOCK_MILLIS)
  // Answers of ten connections may change places, checkouts may not.
  if (kind === 'connect') expect(rounds.every((round) => round.inOrder)).toBe(true)
})
