// How long the main entry takes to load over pg itself, each time in a process of its own.
import { execFileSync } from 'node:child_process'
import { againstItself } from './against-itself.js'
import type { Outcome } from './outcome.js'
import { quantile } from './paired.js'
import { printPart } from './print-part.js'
import type { Part } from './report.js'

/** Processes of each of the two series, which are the same but for their turn. */
const ROUNDS = 31
const QUICK_ROUNDS = 7
const MOST_MILLIS = 20

interface Cost {
  readonly pg: number
  readonly entry: number
  readonly pgCpu: number
  readonly entryCpu: number
}

/** Milliseconds until imported, and of CPU of that process, compiler threads included. */
const SCRIPT = (entry: string): string => `
  const now = () => ({ wall: performance.now(), cpu: process.cpuUsage() })
  const cpu = (from, to) => (to.cpu.user + to.cpu.system - from.cpu.user - from.cpu.system) / 1000
  const start = now()
  await import('pg')
  const middle = now()
  await import(${JSON.stringify(entry)})
  const end = now()
  console.log(JSON.stringify({
    pg: middle.wall - start.wall, entry: end.wall - middle.wall,
    pgCpu: cpu(start, middle), entryCpu: cpu(middle, end),
  }))`

function oneProcess(script: string): Cost {
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' })
  return JSON.parse(printed) as Cost
}

export async function load(quick: boolean) {
  const rounds = quick ? QUICK_ROUNDS : ROUNDS
  // Benchmarks run compiled, so this is what the package has.
  const script = SCRIPT(new URL('../src/index.js', import.meta.url).href)
  console.error(`${2 * rounds} processes`)
  // Whoever comes first reads the files from the disk.
  oneProcess(script)
  const taken: Cost[] = []
  const again: Cost[] = []
  for (let round = 0; round < rounds; round++) {
    // Exchanged every other time: whoever comes first must not be the same one always.
    for (const costs of round % 2 === 0 ? [taken, again] : [again, taken]) costs.push(oneProcess(script))
  }
  const told = (what: string, of: (cost: Cost) => number, bound: Partial<Outcome> = {}): Outcome =>
    againstItself(what, 'ms', taken.map(of), again.map(of), bound)
  const pg = told('pg itself', (cost) => cost.pg)
  const entry = told('pg-cutover, after pg', (cost) => cost.entry, { most: MOST_MILLIS })
  const share = quantile(
    [...taken, ...again].map((cost) => cost.entryCpu / cost.pgCpu),
    0.5,
  )
  const outcomes = [
    pg,
    entry,
    told('CPU time of pg itself', (cost) => cost.pgCpu),
    told('CPU time of pg-cutover, after pg', (cost) => cost.entryCpu, {
      remark: `${share.toFixed(2)} of that of pg`,
    }),
  ]
  return {
    parts: [printPart({ ...PART, outcomes })],
    loadMillis: entry.measured,
    pgMillis: pg.measured,
    processes: 2 * rounds,
  }
}

const PART = {
  title: 'How long does it take to load?',
  how: `Import of the main entry after that of \`pg\`, each time in a process of its own whose files are in the memory of the machine
already. The processes belong to two series in turn that are the same; the second is what the first is told against.`,
  picture: { kind: 'bars', title: 'Import of the main entry', unit: 'ms' },
  notes: [
    'The tests hold the CPU time of the import to 0.75 of that of pg, since a time alone says more of the machine than of the package.',
  ],
} as const satisfies Omit<Part, 'outcomes'>
