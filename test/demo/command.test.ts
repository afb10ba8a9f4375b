// The demo as a command: wrong usage starts nothing, and an interrupted run leaves nothing behind.
import { spawn } from 'node:child_process'
import { chmodSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { compiled } from '../support/compiled.js'

const root = join(import.meta.dirname, '../..')

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pg-cutover-demo-test-'))
  // The servers run as another user when we are root.
  chmodSync(folder, 0o777)
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

function demo(argv: readonly string[]) {
  return spawn(process.execPath, [compiled(join(root, 'demo/main.ts')), ...argv], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

it.each([
  ['an unknown flag', ['--jsno'], "Unknown option '--jsno'"],
  ['a transaction that is too long', ['--slow-transaction', '9000'], 'from 50 to 5000'],
  ['a report that cannot be written', ['--report', '/nowhere/report.html'], 'cannot be written'],
])('refuses %s with exit code 2 and the usage', async (_what, argv, message) => {
  const child = demo(argv)
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  expect(code).toBe(2)
  expect(out).toBe('')
  expect(err).toContain(message)
  expect(err).toContain('Usage: npm run demo')
})

it('ends with 130 on Ctrl-C, and no server or folder is left', async () => {
  const child = demo(['--source', 'launchdarkly', '--rows', '1000', '--rate', '100', '--json'])
  const errors = text(child.stderr)
  let seen = ''
  for await (const chunk of child.stdout) {
    const before = seen.includes('Traffic before')
    seen += String(chunk)
    if (!before && seen.includes('Traffic before')) {
      expect(readdirSync(folder).length).toBeGreaterThan(0)
      child.kill('SIGINT')
    }
  }
  if (child.exitCode === null) await once(child, 'exit')
  expect(child.exitCode).toBe(130)
  expect(await errors).toMatch(/^Interrupted: [^\n]*\n$/)
  // A copy of the binaries, where the servers' user cannot read ours, is taken away by its keeper once the process has gone.
  await expect
    .poll(() => readdirSync(folder).filter((name) => name.startsWith('pg-cutover-')), { timeout: 10_000 })
    .toEqual([])
})
