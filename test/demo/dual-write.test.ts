// The demo with a mirror by dual-write and two processes that a file moves: nothing is lost, and both sides end equal.
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { page } from '../../demo/report.js'
import { Run } from '../../demo/run.js'
import { asLines } from '../../demo/screen.js'
import { stages } from '../../demo/stages.js'
import { summary } from '../../demo/summary.js'
import { verdictOf } from '../../demo/verdict.js'
import type { Verdict } from '../../demo/verdict.js'
import { compiled } from '../support/compiled.js'
import { freshDatabases } from '../support/databases.js'
import type { FreshDatabases } from '../support/databases.js'

const SETTINGS = {
  rows: 1000,
  seconds: 0.6,
  rate: 120,
  writers: 4,
  readers: 2,
  processes: 2,
  source: 'file',
  mirror: 'dual-write',
} as const

let databases: FreshDatabases
let run: Run
let verdict: Verdict
const lines: string[] = []

beforeAll(async () => {
  databases = await freshDatabases()
  const script = compiled(join(import.meta.dirname, '../../demo/process.ts'))
  run = new Run(SETTINGS, { old: databases.old, new: databases.new }, script)
  let trouble: unknown
  await asLines(stages(SETTINGS, { old: 'OLD', new: 'NEW' }), run, (text) => lines.push(text)).catch(
    (error: unknown) => (trouble = error),
  )
  verdict = verdictOf(run, trouble)
  await run.end()
}, 120_000)

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

it('counts the writes of both processes, each with a part of them', () => {
  const { processes } = verdict
  expect(processes.map(({ pid }) => pid)).toEqual([process.pid, expect.any(Number)])
  expect(processes.reduce((sum, { acknowledged }) => sum + acknowledged, 0)).toBe(verdict.acknowledged)
  for (const one of processes) {
    expect(one.acknowledged).toBeGreaterThan(20)
    expect(one.heldCalls).toBeGreaterThan(0)
    expect(one.longestPauseMillis).toBeGreaterThan(0)
  }
  const numbers = run.ledger.entries.map(({ number }) => number)
  expect(new Set(numbers).size).toBe(numbers.length)
  expect(new Set(run.ledger.entries.map(({ writer }) => writer))).toEqual(new Set([0, 1, 2, 3]))
})

it('moves both by one change of the file, whichever of them does it', () => {
  const phases = ['mirror', 'shadow', 'live', 'shadow', 'live', 'rampdown', 'new']
  for (const index of [0, 1])
    expect(run.crew.reached.filter((one) => one.process === index).map(({ phase }) => phase)).toEqual([
      'old',
      ...phases,
    ])
  expect(verdict.moves.map(({ request }) => request)).toEqual(phases.map((phase) => `file → "${phase}"`))
  // The pause of all is from the last that anybody wrote on the one side to the first that anybody wrote on the other.
  for (const { pause, pauses, by } of run.moves) {
    expect([0, 1]).toContain(by)
    expect(pauses).toHaveLength(2)
    expect(pause.lastLeft).toBe(Math.max(...pauses.map(({ lastLeft }) => lastLeft)))
    expect(pause.firstOpened).toBe(Math.min(...pauses.map(({ firstOpened }) => firstOpened)))
  }
})

it('lists the members as the roster has them', () => {
  const pids = verdict.processes.map(({ pid }) => pid)
  expect(new Set(verdict.members.map(({ pid }) => pid))).toEqual(new Set(pids))
  for (const member of verdict.members)
    expect(member).toMatchObject({ service: 'shop', side: 'old', epoch: 0 })
  const text = summary(verdict)
  expect(text).toContain(`1, pid ${pids[1]}`)
  expect(text).toMatch(/The writer was changed by process [01], then [01], then [01]\./)
  expect(text).toMatch(/OK: [\d,]+ writes of 2 processes in/)
  expect(lines.some((line) => line.includes(`:${pids[1]}, pg-cutover `))).toBe(true)
})
