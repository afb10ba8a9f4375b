// What the facade adds to a query against a real server: CPU time of this process, and what the callers wait.
import pg from 'pg'
import { createCutover, memorySource, type Cutover } from '../../src/index.js'
import { againstItself } from '../against-itself.js'
import { databases, type Urls } from '../dual-write/ground.js'
import { startPair } from '../../test/support/servers.js'
import { HEAD, line, type Outcome } from '../outcome.js'
import type { Part } from '../report.js'
import { interleaved, type Compared, type Ratios } from './interleaved.js'
import { CALLS, sliceOf, WORKS } from './work.js'

const CONNECTIONS = 10
const SLICE_MILLIS = 60
const MOST = 1.01
const MANY = 64
const CALLERS = [1, 10, MANY] as const
const ALL = Object.keys(WORKS) as Kind[]
const SOME = ['text', 'insert'] as const satisfies readonly Kind[]

type Kind = keyof typeof WORKS
type Tell = (outcome: Outcome) => void

export interface Sizes {
  readonly rounds: number
  readonly sliceMillis: number
  readonly callers: readonly number[]
}

const FULL: Sizes = { rounds: 36, sliceMillis: SLICE_MILLIS, callers: CALLERS }
const QUICK: Sizes = { rounds: 3, sliceMillis: SLICE_MILLIS, callers: CALLERS }

export async function facadeOnServer(quick: boolean) {
  const pair = await startPair({ settings: { shared_buffers: '128MB', max_wal_size: '4GB' } })
  try {
    const alone = await databases(pair, 'bench_alone', CALLS)
    const mirrored = await databases(pair, 'bench_mirrored', CALLS)
    return await measureFacade({ alone, mirrored }, quick ? QUICK : FULL, console.log)
  } finally {
    await pair.destroy()
  }
}

export async function measureFacade(
  urls: { readonly alone: Urls; readonly mirrored: Urls },
  sizes: Sizes,
  print: (line: string) => void,
): Promise<{ parts: Part[] }> {
  print(HEAD)
  const cpu: Outcome[] = []
  const waits: Outcome[] = []
  const tell =
    (outcomes: Outcome[]): Tell =>
    (outcome) => {
      outcomes.push(outcome)
      print(line(outcome))
    }
  const together: Record<string, Ratios[]> = {}
  const cell = async (phase: string, kind: Kind, callers: number, pools: Pools): Promise<void> => {
    const what = `${phase}: ${kind}, ${callers === 1 ? '1 caller' : `${callers} callers`}`
    const compared = await interleaved(sizes.rounds, (contender) =>
      sliceOf(pools[contender], WORKS[kind], callers, sizes.sliceMillis),
    )
    ;(together[phase] ??= []).push(compared.cpu)
    tell(cpu)(cpuOutcome(what, compared))
    tell(waits)(waitOutcome(what, compared))
  }
  await withCutover(urls.alone, { control: false }, async (cutover) => {
    await withPools(urls.alone.old, cutover, async (pools) => {
      for (const callers of sizes.callers) for (const kind of ALL) await cell('old', kind, callers, pools)
    })
  })
  await withCutover(urls.mirrored, COORDINATED, async (cutover) => {
    for (const phase of ['old', 'mirror', 'new'] as const) {
      if (cutover.phase !== phase) await cutover.advance(phase)
      await withPools(urls.mirrored[phase === 'new' ? 'new' : 'old'], cutover, async (pools) => {
        for (const kind of SOME) await cell(`${phase}, coordinated`, kind, MANY, pools)
      })
    }
  })
  const whole: Outcome[] = []
  for (const [phase, ratios] of Object.entries(together)) tell(whole)(phaseOutcome(phase, ratios))
  return { parts: parts(whole, cpu, waits, sizes) }
}

const COORDINATED = { control: true, mirror: 'replication', shadow: false } as const

type Pools = Readonly<Record<'raw' | 'again' | 'facade', pg.Pool>>

async function withCutover(
  urls: Urls,
  options: { readonly control: false } | typeof COORDINATED,
  work: (cutover: Cutover) => Promise<void>,
): Promise<void> {
  const cutover = createCutover({
    name: 'bench',
    old: { connectionString: urls.old, max: CONNECTIONS },
    new: { connectionString: urls.new, max: CONNECTIONS },
    source: memorySource('old'),
    ...options,
  })
  try {
    await cutover.ready()
    await work(cutover)
  } finally {
    await cutover.end()
  }
}

/** Both raw pools are on the side that the facade has to be on. */
async function withPools(
  url: string,
  cutover: Cutover,
  work: (pools: Pools) => Promise<void>,
): Promise<void> {
  const raw = new pg.Pool({ connectionString: url, max: CONNECTIONS })
  const again = new pg.Pool({ connectionString: url, max: CONNECTIONS })
  try {
    const pools = { raw, again, facade: cutover.pool }
    const answers = await Promise.all(
      Object.values(pools).map(async (pool) => (await pool.query<{ port: number }>(WHERE)).rows[0]?.port),
    )
    if (new Set(answers).size !== 1) throw new Error('the facade is on another side than the raw pools')
    await work(pools)
  } finally {
    await Promise.allSettled([raw.end(), again.end()])
  }
}

const WHERE = 'select inet_server_port() as port'

/** Over the rounds of all its rows, since one row alone tells no less than the limit. */
function phaseOutcome(phase: string, ratios: readonly Ratios[]): Outcome {
  const all = {
    facade: ratios.flatMap(({ facade }) => facade),
    same: ratios.flatMap(({ same }) => same),
  }
  return againstItself(`${phase}: all rows together`, '×', all.facade, all.same, { most: MOST })
}

const cpuOutcome = (what: string, { cpu, cpuMicros }: Compared): Outcome =>
  againstItself(what, '×', cpu.facade, cpu.same, { remark: `${cpuMicros.toFixed(1)} µs without` })

function waitOutcome(what: string, { p50, millis }: Compared): Outcome {
  const shown = ({ p50: half, p99 }: { p50: number; p99: number }): string =>
    `${half.toFixed(2)} and ${p99.toFixed(2)} ms`
  return againstItself(`${what}: median wait`, '×', p50.facade, p50.same, {
    remark: `50 and 99 % through the facade ${shown(millis.facade)}, without ${shown(millis.raw)}`,
  })
}

function parts(
  whole: readonly Outcome[],
  cpu: readonly Outcome[],
  waits: readonly Outcome[],
  { rounds, sliceMillis }: Sizes,
): Part[] {
  const how = `${rounds} rounds of six slices of ${sliceMillis} ms for each row: two of the facade, two of a raw pool and two of another one, which tells the noise, in an order that no drift favours. ${CONNECTIONS} connections each.`
  return [
    {
      title: 'What does the facade add to a query against a real server?',
      how: `CPU time of this process a call, with that of the raw pools as 1; what the servers take is not in it. ${how} \`old\` is one process by itself. \`coordinated\` is with \`control\`, whose own statements run beside the calls of all three; what those cost is told with the fleet. In \`mirror\` the other server receives every row by replication. A \`transaction\` is a checkout with BEGIN, an insert and COMMIT.`,
      outcomes: [...whole, ...cpu],
      picture: { kind: 'bars', title: 'CPU time a call through the facade, raw pool = 1', unit: '×' },
      notes: [above(cpu)],
    },
    {
      title: 'What do callers wait through the facade?',
      how: `The same calls by their callers' clock: the median wait of each round, with that of the raw pools as 1. Both servers share the machine with the callers.`,
      outcomes: waits,
    },
  ]
}

/** The limit is one of each phase, but no row may hide behind the others. */
function above(cpu: readonly Outcome[]): string {
  const found = cpu.filter(({ interval: likely }) => likely !== undefined && likely[0] > MOST)
  return found.length === 0
    ? `No single row lies above ${MOST} with its whole interval.`
    : `Above ${MOST} with the whole interval: ${found.map(({ what }) => what).join('; ')}.`
}
