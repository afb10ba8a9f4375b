// The demo with a mirror by dual-write: three changes of writer, and both sides equal row by row once nothing is on record.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { page } from '../../demo/report.js'
import { Run } from '../../demo/run.js'
import { asLines } from '../../demo/screen.js'
import { stages } from '../../demo/stages.js'
import { summary } from '../../demo/summary.js'
import { verdictOf } from '../../demo/verdict.js'
import type { Verdict } from '../../demo/verdict.js'
import { freshDatabases } from '../support/databases.js'
import type { FreshDatabases } from '../support/databases.js'

const SETTINGS = {
  rows: 1000,
  seconds: 0.6,
  rate: 120,
  writers: 4,
  readers: 2,
  source: 'memory',
  mirror: 'dual-write',
} as const

let databases: FreshDatabases
let run: Run
let verdict: Verdict
const lines: string[] = []

beforeAll(async () => {
  databases = await freshDatabases()
  run = new Run(SETTINGS, { old: databases.old, new: databases.new })
  let trouble: unknown
  await asLines(stages(SETTINGS, { old: 'OLD', new: 'NEW' }), run, (text) => lines.push(text)).catch(
    (error: unknown) => (trouble = error),
  )
  verdict = verdictOf(run, trouble)
  await run.end()
})

afterAll(() => databases.drop())

it('loses, duplicates and fails nothing, and leaves both sides equal', () => {
  expect(verdict.complaints).toEqual([])
  expect(verdict).toMatchObject({
    ok: true,
    mirror: 'dual-write',
    lost: 0,
    duplicated: 0,
    failedQueries: 0,
    staleReads: 0,
    tablesDiffering: 0,
  })
  expect(verdict.found).toBe(verdict.acknowledged)
  expect(verdict.rowsCompared).toBeGreaterThan(1000)
  expect(verdict.cutovers.map(({ direction }) => direction)).toEqual(['old→new', 'new→old', 'old→new'])
  const kinds = new Set(run.ledger.entries.map(({ kind }) => kind))
  for (const kind of ['move an event', 'queue a job and take one', 'release stock'])
    expect(kinds).toContain(kind)
})

it('says what was relayed, how far behind the other side was and how long the record', () => {
  // What was there before goes by the record as well.
  // A leader says how many once a second, so the last second of each lead is not in it.
  expect(verdict.relayed).toBeGreaterThan(0)
  expect(verdict.longestRecord).toBeGreaterThan(0)
  expect(verdict.mirrorLag.count).toBeGreaterThan(5)
  expect(verdict.mirrorLag.max).toBeGreaterThan(0)
  const text = summary(verdict)
  expect(text).toMatch(/Changes relayed +[\d,]+ {3}at most [\d,]+ on record at a time/)
  expect(text).toMatch(/Other side behind by +\d+\.\d ms in the median/)
  expect(page(run, verdict)).toContain('Changes that the library wrote to the other side')
})
