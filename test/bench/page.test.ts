// The page of figures: wholly of what is stored, saying what is missing, what is missed and what was quick, and nothing of where it ran.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, hostname } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { all } from '../../bench/all.js'
import { commitOf, isWholly, machine, versions } from '../../bench/machine.js'
import { checkPage, pageOf, writePage } from '../../bench/page.js'
import { RUNS, runId, type Run } from '../../bench/page/chapters.js'
import { readStored, store, type Stored } from '../../bench/page/stored.js'
import type { Part } from '../../bench/report.js'
import { temporaryFolder } from '../support/binaries.js'

const root = join(import.meta.dirname, '../..')

const part: Part = {
  title: 'What the phase costs',
  how: 'In batches of 1,000.',
  outcomes: [
    { what: '`cutover.phase`', unit: 'ns', measured: 6.7, interval: [6.6, 6.9], same: 6.6, most: 10 },
    { what: 'a <b> & `Map<K | V>` | other', unit: 'ns', measured: 20, remark: 'of four' },
  ],
  picture: { kind: 'bars', title: 'Time of a lookup', unit: 'ns', scale: 'log' },
  notes: ['No flag is evaluated for a query.'],
}

const stored: Stored = {
  command: 'npm run bench -- lookup --seed 7',
  date: '2026-01-02',
  commit: 'abc1234',
  quick: false,
  seed: 7,
  load: 0.4,
  machine: { processor: 'A processor', cores: 2, memory: '24 GiB', kernel: 'Linux 6.1' },
  versions: { Node: '20.20.0', pg: '8.23.1' },
  parts: [part],
}

const lookup: Run = { name: 'lookup', stub: false }

const pageWith = (all: Readonly<Record<string, Stored>>): ReadonlyMap<string, string> =>
  pageOf((run) => all[runId(run)])

const textWith = (all: Readonly<Record<string, Stored>>): string =>
  pageWith(all).get('docs/performance.md') ?? ''

describe('a page', () => {
  it('shows a part with its picture, its table, its notes and how to repeat it', () => {
    const files = pageWith({ lookup: stored })
    expect([...files.keys()]).toEqual(['docs/performance.md', 'docs/performance/lookup-1.svg'])
    expect(files.get('docs/performance/lookup-1.svg')).toContain('<title id="title">Time of a lookup</title>')
    expect(files.get('docs/performance.md')).toContain(`## To know the phase

### What the phase costs

In batches of 1,000.

![Time of a lookup](performance/lookup-1.svg)

|  | measured | 95 of 100 | against itself | limit | met | remark |
|---|---|---|---|---|---|---|
| \`cutover.phase\` | 6.7 ns | 6.6 to 6.9 | 6.6 | at most 10 | yes |  |
| a &lt;b> &amp; \`Map<K \\| V>\` \\| other | 20 ns |  |  |  |  | of four |

No flag is evaluated for a query.

\`npm run bench -- lookup --seed 7\`: commit abc1234, 2026-01-02, load average before 0.4 ([figures](performance/lookup.json))`)
  })

  it('says why a limit is missed where one is', () => {
    const pause = (measured: number): string =>
      textWith({
        pause: {
          ...stored,
          parts: [{ ...part, outcomes: [{ what: 'the pause', unit: 'ms', measured, most: 25 }] }],
        },
      })
    expect(pause(30)).toContain('**Where a limit is missed:** What is left are round trips')
    expect(pause(20)).not.toContain('Where a limit is missed')
  })

  it('begins with every limit, met or not', () => {
    const missed: Part = { ...part, outcomes: [{ what: 'the pause', unit: 'ms', measured: 30, most: 25 }] }
    const text = textWith({ lookup: stored, pause: { ...stored, parts: [missed] } })
    expect(text).toContain(`1 of 2 are met.

|  |  | measured | 95 of 100 | against itself | limit | met |
|---|---|---|---|---|---|---|
| [To know the phase](#to-know-the-phase) | \`cutover.phase\` | 6.7 ns | 6.6 to 6.9 | 6.6 | at most 10 | yes |
| [The pause](#the-pause) | the pause | 30 ms |  |  | at most 25 | **no** |
`)
    expect(text.indexOf('## Limits')).toBeLessThan(text.indexOf('## At rest'))
  })

  it('names what was not measured, and never leaves it out', () => {
    const text = textWith({ lookup: stored })
    for (const run of RUNS.filter(({ name }) => name !== 'lookup')) {
      const options = run.stub ? ' --stub' : ''
      expect(text).toContain(`\`npm run bench -- ${run.name}${options}\`: not measured.`)
      expect(/\*\*Not measured:\*\* (.*)\./.exec(text)?.[1]?.split(', ')).toContain(`\`${runId(run)}\``)
    }
    expect(/\*\*Not measured:\*\* (.*)\./.exec(text)?.[1]).not.toContain('lookup')
  })

  it('says where a run was a quick one', () => {
    expect(textWith({ lookup: stored })).not.toContain('quick')
    const text = textWith({ lookup: { ...stored, quick: true }, load: stored })
    expect(text).toContain('tenth of the samples:** `lookup`.')
    expect(text.match(/\*\*a quick run\*\*/g)).toHaveLength(1)
  })

  it('tells the machine once, or at each run where there were several', () => {
    const one = 'A processor, 2 cores, 24 GiB, Linux 6.1; Node 20.20.0, pg 8.23.1'
    expect(textWith({ lookup: stored, load: stored }).split(one)).toHaveLength(2)
    const text = textWith({ lookup: stored, load: { ...stored, versions: { Node: '22.1.0' } } })
    expect(text).not.toContain('Measured on')
    expect(text).toContain(`load average before 0.4, ${one}`)
    expect(text).toContain('Linux 6.1; Node 22.1.0')
  })
})

it('the page of this commit is what its stored figures give: run npm run bench -- page', () => {
  expect(checkPage(root)).toEqual([])
})

describe('in a folder', () => {
  let folder = ''
  beforeEach(() => {
    folder = temporaryFolder('pg-cutover-page-', undefined)
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  it('a page is checked against what is stored, picture by picture', () => {
    store(folder, lookup, stored)
    expect(checkPage(folder)).toEqual(['docs/performance.md', 'docs/performance/lookup-1.svg'])
    writePage(folder)
    expect(checkPage(folder)).toEqual([])
    const page = join(folder, 'docs/performance.md')
    writeFileSync(page, readFileSync(page, 'utf8').replace('6.7 ns', '5.7 ns'))
    expect(checkPage(folder)).toEqual(['docs/performance.md'])
    // A picture of which nothing is stored any more is taken away.
    writeFileSync(join(folder, 'docs/performance/lookup-2.svg'), '<svg/>')
    expect(checkPage(folder)).toEqual(['docs/performance.md', 'docs/performance/lookup-2.svg'])
    writePage(folder)
    expect(checkPage(folder)).toEqual([])
    expect(readdirSync(join(folder, 'docs/performance')).toSorted()).toEqual(['lookup-1.svg', 'lookup.json'])
  })

  it('what is stored says nothing of where it ran', () => {
    const error = `connect to postgres://me:secret@db.local:5432/x of ${root}/bench/load.ts failed`
    const notes = [`${error} ('/tmp/a/b.sock'), see ../a/b`, `on ${hostname()} in ${homedir()}`]
    store(folder, lookup, { ...stored, parts: [{ ...part, notes }] })
    const text = readFileSync(join(folder, 'docs/performance/lookup.json'), 'utf8')
    for (const place of ['secret', 'postgres:', root, '/tmp', 'b.sock']) expect(text).not.toContain(place)
    expect(readStored(folder, lookup)?.parts[0]?.notes?.[0]).toBe(
      "connect to … of … failed ('…'), see ../a/b",
    )
    expect(readStored(folder, lookup)?.parts[0]?.how).toBe(part.how)
  })

  it('what could not be measured keeps no limit', () => {
    const outcomes = [{ what: 'the pause', unit: 'ns', measured: Number.NaN, most: 25 }]
    store(folder, lookup, { ...stored, parts: [{ ...part, outcomes }] })
    writePage(folder)
    const text = readFileSync(join(folder, 'docs/performance.md'), 'utf8')
    expect(text).toContain('| the pause | NaN ns | at most 25 | **no** |')
    expect(readdirSync(join(folder, 'docs/performance'))).toEqual(['lookup.json'])
  })

  it('figures are of a commit where what is measured has no changes, and only there', () => {
    const git = (...args: string[]): string =>
      execFileSync('git', ['-c', 'user.name=a', '-c', 'user.email=a', ...args], {
        cwd: folder,
        encoding: 'utf8',
      })
    expect(isWholly(commitOf(folder))).toBe(false)
    git('init', '-q')
    for (const name of ['src', 'bench', 'docs']) mkdirSync(join(folder, name))
    writeFileSync(join(folder, 'src/a.ts'), '1')
    git('add', '.')
    git('commit', '-qm', 'a')
    const commit = git('rev-parse', '--short', 'HEAD').trim()
    writeFileSync(join(folder, 'docs/a.md'), '1')
    expect([commitOf(folder), isWholly(commitOf(folder))]).toEqual([commit, true])
    writeFileSync(join(folder, 'bench/new.ts'), '1')
    expect([commitOf(folder), isWholly(commitOf(folder))]).toEqual([`${commit} with changes`, false])
    rmSync(join(folder, 'bench/new.ts'))
    writeFileSync(join(folder, 'src/a.ts'), '2')
    expect(isWholly(commitOf(folder))).toBe(false)
  })
})

it('the machine is told without its name, and what runs on it with its version', () => {
  expect(machine()).toEqual({
    processor: expect.stringMatching(/\w/),
    cores: expect.any(Number),
    memory: expect.stringMatching(/^\d+ GiB$/),
    kernel: expect.stringMatching(/^[A-Za-z]+ [\d.]+$/),
  })
  expect(versions(root)).toEqual({
    Node: process.versions.node,
    pg: expect.stringMatching(/^8\./),
    Postgres: expect.stringMatching(/^15\.\d+ and 18\.\d+$/),
    'pg-cutover': expect.stringMatching(/^\d+\.\d+\.\d+$/),
  })
})

it('all runs each in turn, also after one that failed, and names that', () => {
  const started: string[] = []
  const failed = all(['--quick'], (args) => {
    started.push(args.join(' '))
    return args[0] !== 'hold'
  })
  expect(started).toEqual(RUNS.map(({ name, stub }) => `${name}${stub ? ' --stub' : ''} --quick`))
  expect(failed).toEqual(['hold-stub', 'hold'])
})
