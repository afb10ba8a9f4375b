// Runs the parts of a benchmark that needs two servers: each part on a fresh pair, its table printed as it comes about.
import { availableParallelism, loadavg } from 'node:os'
import { startPair, type Pair } from '../test/support/servers.js'
import { HEAD, line, type Outcome } from './outcome.js'
import type { Part, Picture } from './report.js'

export interface PartOnPair {
  readonly title: string
  /** Sentences. */
  readonly how: (quick: boolean) => readonly string[]
  readonly picture?: Picture
  /** Of both servers, on top of those of the tests. */
  readonly settings: Readonly<Record<string, string>>
  /** Tells each outcome as it is known, and gives what only this run can say of itself. */
  readonly run: (pair: Pair, quick: boolean, tell: Tell) => Promise<readonly string[]>
}

export type Tell = (outcome: Outcome) => void

/** For the `how` of a part: where everything of it runs. */
export const CORES = `the ${availableParallelism()} cores of one machine, to none of which a process is bound`

/** `BENCH_PART` names one part, or several with commas, for whoever works on them. */
export async function onPairs(
  parts: Readonly<Record<string, PartOnPair>>,
  quick: boolean,
): Promise<{ readonly parts: readonly Part[] }> {
  const names = process.env['BENCH_PART']?.split(',') ?? Object.keys(parts)
  // All of them are known before the first one is run, which takes its time.
  const wanted = names.map((name) => {
    const part = Object.hasOwn(parts, name) ? parts[name] : undefined
    if (!part) throw new Error(`expected one of ${Object.keys(parts).join(', ')}, got "${name}"`)
    return { name, part }
  })
  const given: Part[] = []
  for (const { name, part } of wanted) given.push(await onPair(name, part, quick))
  return { parts: given }
}

async function onPair(name: string, part: PartOnPair, quick: boolean): Promise<Part> {
  const began = performance.now()
  const before = load()
  const outcomes: Outcome[] = []
  const tell: Tell = (outcome) => {
    outcomes.push(outcome)
    console.log(line(outcome))
  }
  console.error(`${name}: begun, load average ${before}`)
  console.log(`\n${part.title}\n\n${HEAD}`)
  const pair = await startPair({ settings: { ...part.settings } })
  try {
    const said = await part.run(pair, quick, tell)
    const after = load()
    console.error(
      `${name}: ${((performance.now() - began) / 1_000).toFixed(0)} s, load average ${after}\n${said.join('\n')}`,
    )
    const { title, picture } = part
    const machine = `The load average of the machine was ${before} when this part began and ${after} when it had ended.`
    return {
      title,
      how: part.how(quick).join(' '),
      outcomes,
      ...(picture && { picture }),
      notes: [...said, machine],
    }
  } finally {
    await pair.destroy()
  }
}

const load = (): string => loadavg()[0]?.toFixed(1) ?? 'unknown'
