// The command `bench`: its last line is JSON with the promised figures, and wrong usage ends with 2.
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { RUNS } from '../../bench/page/chapters.js'
import { compiled } from '../support/compiled.js'

const root = join(import.meta.dirname, '../..')

const bench = (...args: string[]) => benchOf('abc1234', ...args)

/** As if it were compiled from this commit. */
function benchOf(commit: string, ...args: string[]) {
  return spawnSync(process.execPath, [compiled(join(root, 'bench/main.ts')), ...args], {
    cwd: root,
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, BENCH_COMMIT: commit },
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

  it('hold --stub: 10,000 held queries stay below 15 MB', { timeout: 60_000 }, () => {
    const { status, stdout } = bench('hold', '--stub', '--quick', '--json')
    expect(status).toBe(0)
    const figures = lastLine(stdout) as { heldBytes: number }
    expect(figures).toMatchObject({ bench: 'hold', queries: 10_000, longestBlockMillis: expect.any(Number) })
    expect(figures.heldBytes).toBeLessThan(15e6)
    expect(figures.heldBytes).toBeGreaterThan(1e6)
  })

  it(
    'lookup: the phase is known sooner than the entry of a Map, and far sooner than a flag',
    { timeout: 60_000 },
    () => {
      const { status, stdout } = bench('lookup', '--quick', '--json')
      expect(status).toBe(0)
      const figures = lastLine(stdout) as Record<`${string}Nanos`, number>
      expect(figures).toMatchObject({
        bench: 'lookup',
        routeNanos: expect.any(Number),
        openFeatureNanos: expect.any(Number),
        asyncLocalStorageNanos: expect.any(Number),
      })
      // The promise is 10 for a machine that is left alone; a wait or an object would cost more on any.
      expect(figures.lookupNanos).toBeLessThan(Math.min(20, figures.mapNanos ?? 0))
      for (const sdk of ['launchDarkly9Nanos', 'launchDarkly7Nanos'] as const)
        expect(figures[sdk]).toBeGreaterThan(20 * (figures.lookupNanos ?? Number.NaN))
    },
  )

  it('flip --stub: no timer lies between the flag that is heard and the route', { timeout: 60_000 }, () => {
    const { status, stdout } = bench('flip', '--stub', '--quick', '--json')
    expect(status).toBe(0)
    const figures = lastLine(stdout) as Record<string, Record<string, { median: number }>>
    expect(figures).toMatchObject({ bench: 'flip', flips: 30 })
    for (const sdk of ['launchDarkly9', 'launchDarkly7']) {
      const { heardMillis, swappedMillis, openedMillis, phaseMillis } = figures[sdk] ?? {}
      expect(heardMillis?.median).toBeGreaterThan(0)
      expect(swappedMillis?.median).toBeLessThan(1)
      expect(openedMillis?.median).toBeGreaterThan(swappedMillis?.median ?? Number.NaN)
      expect(phaseMillis?.median).toBeGreaterThan(openedMillis?.median ?? Number.NaN)
    }
  })

  it.each([
    [[], 'expected the name of one benchmark'],
    [['toString'], '"toString" is no benchmark'],
    [['facade', '--stubs'], "Unknown option '--stubs'"],
    [['lookup', '--stub'], '"lookup" has no run with --stub'],
    [['check', '--save'], '"check" has no run to save'],
    [['lookup', '--seed', '1.5'], '--seed: expected a whole number up to 4294967295, got "1.5"'],
  ])('refuses %o with 2', (args, message) => {
    const { status, stderr, stdout } = bench(...args)
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toContain(message)
    expect(stderr).toContain('usage: npm run bench -- <name>')
  })

  it('stores no figures of code that is in no commit', () => {
    const { status, stderr, stdout } = benchOf('abc1234 with changes', 'load', '--save')
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
    expect(stderr).toContain('--save: the commit is abc1234 with changes, so that nobody could repeat it')
  })

  it('has a place on the page for each benchmark, and a benchmark for each place', () => {
    const { status, stdout } = bench('--help')
    expect(status).toBe(0)
    const [, names = ''] = /<name> \[options\]\n((?: {2}[\s\S]*?)) {2}all /.exec(stdout) ?? []
    const measured = [...names.matchAll(/^ {2}(\S+)/gm)].map(([, name]) => name)
    // The gates compare nothing that is worth a page, and are run by themselves.
    const others = ['check', 'prove']
    expect(new Set(measured.filter((name) => !others.includes(name ?? '')))).toEqual(
      new Set(RUNS.map(({ name }) => name)),
    )
  })
})
