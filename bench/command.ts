// The command line of the benchmarks: which is run, on what it says it ran, and where its figures go.
import { randomInt } from 'node:crypto'
import { parseArgs } from 'node:util'
import { all } from './all.js'
import { commitOf, isWholly, load, machine, versions } from './machine.js'
import { checkPage, writePage } from './page.js'
import { isRun, type Run } from './page/chapters.js'
import { store, storedPath } from './page/stored.js'
import { picture } from './picture.js'
import type { Report } from './report.js'
import { MOST_SEED, seed, useSeed } from './seed.js'

export interface Flags {
  readonly stub: boolean
  readonly quick: boolean
}

export type Benchmarks = Readonly<
  Record<string, { readonly answers: string; readonly run: (flags: Flags) => Promise<Report> }>
>

const OPTIONS = {
  stub: { type: 'boolean', default: false },
  quick: { type: 'boolean', default: false },
  seed: { type: 'string' },
  json: { type: 'boolean', default: false },
  save: { type: 'boolean', default: false },
  dirty: { type: 'boolean', default: false },
  check: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

const usageOf = (benchmarks: Benchmarks): string => `usage: npm run bench -- <name> [options]
${Object.entries(benchmarks)
  .map(([name, { answers }]) => `  ${name.padEnd(14)}${answers}`)
  .join('\n')}
  all           each of them, one after the other
  page          writes docs/performance.md from what is stored (--check: fails where it is another)
options
  --stub        no server: pools and clients that answer at once
  --quick       a tenth of the samples
  --seed N      of whatever is random; drawn and printed where it is not given
  --json        one JSON object as the last line
  --save        stores the report in docs/performance
  --dirty       stores it also where the code has changes that are in no commit`

class Refusal extends Error {}

function readArguments() {
  try {
    return parseArgs({ allowPositionals: true, options: OPTIONS })
  } catch (error) {
    throw new Refusal((error as Error).message, { cause: error })
  }
}

type Values = ReturnType<typeof readArguments>['values']

/** Ends with 2 where it is not understood. */
export async function command(benchmarks: Benchmarks): Promise<void> {
  try {
    const { values, positionals } = readArguments()
    if (values.help) return console.log(usageOf(benchmarks))
    const [name = values.check ? 'check' : undefined, ...more] = positionals
    if (name === undefined || more.length > 0) throw new Refusal('expected the name of one benchmark')
    await runOne(benchmarks, name, values)
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    console.error(`${error.message}\n${usageOf(benchmarks)}`)
    process.exitCode = 2
  }
}

async function runOne(benchmarks: Benchmarks, name: string, values: Values): Promise<void> {
  const root = process.cwd()
  if (name === 'page') return page(root, values.check)
  const commit = process.env['BENCH_COMMIT'] ?? commitOf(root)
  if (values.save && !values.dirty && !isWholly(commit))
    throw new Refusal(
      `--save: the commit is ${commit}, so that nobody could repeat it; commit first, or say --dirty`,
    )
  useSeed(seedOf(values.seed))
  if (name === 'all') return everything(values)
  const benchmark = Object.hasOwn(benchmarks, name) ? benchmarks[name] : undefined
  if (benchmark === undefined) throw new Refusal(`"${name}" is no benchmark`)
  const run: Run = { name, stub: values.stub }
  if ((values.stub || values.save) && !isRun(run))
    throw new Refusal(`"${name}" has no run ${values.stub ? 'with --stub' : 'to save'}`)
  if (values.save && process.env['BENCH_PART'] !== undefined)
    throw new Refusal('--save: BENCH_PART leaves something out')
  const { processor, cores } = machine()
  const before = load()
  console.log(
    `${processor}, ${cores} cores, load ${before}, Node ${process.versions.node}, commit ${commit}, seed ${seed()}`,
  )
  const report = await benchmark.run(values)
  if (values.save) {
    store(root, run, {
      command: ['npm run bench --', name, ...passedOn(values), `--seed ${seed()}`].join(' '),
      date: new Date().toISOString().slice(0, 10),
      commit,
      quick: values.quick,
      seed: seed(),
      load: before,
      machine: machine(),
      versions: versions(root),
      parts: report.parts,
    })
    console.error(`stored in ${storedPath(run)}`)
    for (const part of report.parts)
      if (part.picture && picture(part) === undefined)
        console.error(`"${part.title}" has nothing measured in ${part.picture.unit}, so no picture`)
  }
  if (values.json) console.log(JSON.stringify({ bench: name, seed: seed(), ...report }))
}

/** What says which run it is. */
const passedOn = (values: Values): string[] =>
  (['stub', 'quick'] as const).filter((flag) => values[flag]).map((flag) => `--${flag}`)

function everything(values: Values): void {
  const kept = (['quick', 'save', 'dirty'] as const).filter((flag) => values[flag]).map((flag) => `--${flag}`)
  const failed = all([...kept, '--seed', String(seed())])
  if (failed.length === 0) return
  console.error(`failed: ${failed.join(', ')}`)
  process.exitCode = 1
}

function page(root: string, check: boolean): void {
  if (!check) return writePage(root)
  const other = checkPage(root)
  if (other.length === 0) return
  console.error(`not what the stored figures give: ${other.join(', ')}; run npm run bench -- page`)
  process.exitCode = 1
}

function seedOf(given: string | undefined): number {
  if (given === undefined) return randomInt(MOST_SEED)
  const seed = Number(given)
  if (!/^\d+$/.test(given) || seed > MOST_SEED)
    throw new Refusal(`--seed: expected a whole number up to ${MOST_SEED}, got "${given}"`)
  return seed
}
