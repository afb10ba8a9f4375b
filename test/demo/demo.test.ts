// A small seed of the demo by flips of a flag alone: the same stages, traffic, audit and report, on servers of its own.
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { tallyOf } from '../../demo/application.js'
import { page } from '../../demo/report.js'
import { Run } from '../../demo/run.js'
import { asLines } from '../../demo/screen.js'
import { stages } from '../../demo/stages.js'
import { summary } from '../../demo/summary.js'
import { verdictOf } from '../../demo/verdict.js'
import type { Verdict } from '../../demo/verdict.js'
import { SLOW } from '../../demo/writes.js'
import type { Cutover } from '../../src/index.js'
import { startPair } from '../support/servers.js'
import type { Pair } from '../support/servers.js'

const SETTINGS = {
  rows: 1000,
  seconds: 1,
  rate: 300,
  writers: 6,
  readers: 3,
  processes: 1,
  source: 'launchdarkly',
  mirror: 'replication',
  slowTransactionMillis: 600,
} as const

let pair: Pair
let run: Run
let verdict: Verdict
const lines: string[] = []

beforeAll(async () => {
  // Postgres 15 starts apply workers at most once in so much time, and here one move follows the other.
  pair = await startPair({ seeds: inject('seeds'), settings: { wal_retrieve_retry_interval: '100ms' } })
  run = new Run(SETTINGS, { old: pair.old.url(), new: pair.new.url() })
  let trouble: unknown
  await asLines(stages(SETTINGS, { old: 'OLD', new: 'NEW' }), run, (text) => lines.push(text)).catch(
    (error: unknown) => (trouble = error),
  )
  verdict = verdictOf(run, trouble)
  await run.end()
}, 120_000)

afterAll(() => pair.destroy())

it('moves there, back, and there again, and nothing is lost, duplicated or failed', () => {
  expect(verdict.complaints).toEqual([])
  expect(verdict).toMatchObject({ ok: true, lost: 0, duplicated: 0, failedQueries: 0, staleReads: 0 })
  expect(verdict.found).toBe(verdict.acknowledged)
  expect(verdict.acknowledged).toBeGreaterThan(100)
  expect(verdict.from).toMatch(/^15\./)
  expect(verdict.to).toMatch(/^18\./)
  expect(verdict.cutovers.map(({ direction }) => direction)).toEqual(['old→new', 'new→old', 'old→new'])
})

it('names what moved it, and how long each phase took from the flip', () => {
  expect(verdict.source).toBe('launchdarkly')
  expect(verdict.moves.map(({ request, phase }) => [request, phase])).toEqual([
    ['flag → "dualwrite"', 'mirror'],
    ['flag → "shadow"', 'shadow'],
    ['flag → "live"', 'live'],
    ['flag → "shadow"', 'shadow'],
    ['flag → "live"', 'live'],
    ['flag → "rampdown"', 'rampdown'],
    ['flag → "complete"', 'new'],
  ])
  // The whole cohort gets one stage, which is no rollout.
  expect(verdict.warnings.filter((text) => text.includes('percentage'))).toEqual([])
  expect(verdict.mirror).toBe('replication')
  expect(verdict.relayed).toBeUndefined()
  for (const { millis } of verdict.moves) expect(millis).toBeGreaterThan(0)
  expect(lines.at(-1)).toMatch(/LaunchDarkly was sent [1-9]\d* measured calls/)
  for (const text of [summary(verdict), lines.join('\n')]) expect(text).toContain('flag → "dualwrite": ')
})

it('measures each change of writer by the callers and by its steps', () => {
  for (const { pauseMillis, longestHeldMillis, longestReadHeldMillis, steps } of verdict.cutovers) {
    expect(pauseMillis).toBeGreaterThan(0)
    expect(longestHeldMillis).toBeGreaterThan(0)
    expect(longestReadHeldMillis).toBeGreaterThan(0)
    expect(Object.keys(steps)).toEqual(
      expect.arrayContaining([
        'prepare',
        'hold',
        'drain',
        'fence',
        'catch-up',
        'stop-reads',
        'decide',
        'open',
      ]),
    )
  }
})

it('lets reads flow while writes wait for a transaction that is open when the hold begins', () => {
  for (const { longestHeldMillis, longestReadHeldMillis, readsMeanwhile } of verdict.cutovers) {
    expect(longestHeldMillis).toBeGreaterThan(600)
    expect(longestReadHeldMillis).toBeLessThan(300)
    // Two readers in 600 ms, each at 50 a second.
    expect(readsMeanwhile).toBeGreaterThan(5)
  }
  expect(run.ledger.entries.filter(({ kind }) => kind === SLOW).map(({ side }) => side)).toEqual([
    'old',
    'new',
    'old',
  ])
  expect(summary(verdict)).toContain('A transaction of 600 ms was open when each hold began')
})

it('compares sampled reads, none of which differs for real', () => {
  expect(verdict.shadow.compared).toBeGreaterThan(0)
  expect(verdict.shadow.real).toBe(0)
  expect(summary(verdict)).toMatch(
    /Reads compared +[\d,]+ {3}with the answer of the other side; 0 differ for real/,
  )
})

it('is not content with a compared read that differs for real, and names it', () => {
  const text = 'select stock from shop.products where id = $1'
  const none = { lag: 0, order: 0, unsettled: 0 }
  const shadow = {
    totals: () => ({ compared: 2, outcomes: { ...none, real: 1 } }),
    report: () => ({
      statements: [{ fingerprint: 'f00d', text }],
      mismatches: [
        { fingerprint: 'f00d', outcome: 'real', detail: 'a row differs' },
        { fingerprint: 'f00d', outcome: 'lag', detail: 'a row was late' },
      ],
    }),
  }
  const told = tallyOf({ shadow, status: () => run.moving.status() } as unknown as Cutover)
  const crew = { pids: run.crew.pids, tallies: [told] }
  const differing = Object.create(run, { crew: { value: crew } }) as Run
  const { ok, complaints } = verdictOf(differing)
  expect(ok).toBe(false)
  expect(complaints).toEqual([`1 compared reads whose answers differ for real\n    ${text}: a row differs`])
})

it('tells the story in lines, and ends with a line that says how it went', () => {
  for (const text of ['fence', 'catch-up', 'the same on both sides, by content'])
    expect(lines.some((line) => line.includes(text))).toBe(true)
  expect(summary(verdict).split('\n').at(-1)).toMatch(/^ {2}OK: [\d,]+ writes in \d+ s over 3 changes/)
})

it('writes a page that shows every cutover and loads nothing', () => {
  const html = page(run, verdict)
  expect(html.match(/<svg /g)).toHaveLength(4)
  expect(html).not.toMatch(/https?:|src=|@import|url\(/)
})
