// The command `bench`: its last line is JSON with the promised figures, and wrong usage ends with 2.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')

function bench(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['--import', 'tsx', 'bench/main.ts', ...args], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
  })
}

const lastLine = (text: string): unknown => JSON.parse(text.trimEnd().split('\n').at(-1) ?? '')

describe('bench', () => {
  it('facade --stub: the facade adds neither a promise nor bytes to a call', { timeout: 60_000 }, () => {
    const { status, stdout } = bench('facade', '--stub', '--quick', '--json')
    expect(status).toBe(0)
    const figures = lastLine(stdout)
    expect(figures).toMatchObject({
      bench: 'facade',
      stubOverheadNanos: expect.any(Number),
      extraPromisesPerCall: 0,
    })
    // An object of the smallest kind is 12 bytes or more on each call.
    expect((figures as { extraBytesPerCall: number }).extraBytesPerCall).toBeLessThan(6)
  })

  it('held --stub: 10,000 held queries stay below 15 MB', { timeout: 60_000 }, () => {
    const { status, stdout } = bench('held', '--stub', '--quick', '--json')
    expect(status).toBe(0)
    const figures = lastLine(stdout) as { heldBytes: number }
    expect(figures).toMatchObject({ bench: 'held', queries: 10_000, longestBlockMillis: expect.any(Number) })
    expect(figures.heldBytes).toBeLessThan(15e6)
    expect(figures.heldBytes).toBeGreaterThan(1e6)
  })

  it.each([
    [[], 'expected the name of one benchmark'],
    [['toString'], '"toString" is no benchmark'],
    [['facade', '--stubs'], "Unknown option '--stubs'"],
  ])('refuses %o with 2', (args, message) => {
    const { status, stderr, stdout } = bench(...args)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(stderr).toContain('usage: npm run bench -- <name>')
  })
})
