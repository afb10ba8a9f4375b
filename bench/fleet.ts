// What a fleet of members costs: the pause of all of them together, their traffic at rest, and how both grow with their number.
import { loadavg } from 'node:os'
import { startPair, type Pair } from '../test/support/servers.js'
import { databases, ITEM, someItems } from './dual-write/ground.js'
import { HEAD, isMet, line, median, type Outcome } from './outcome.js'
import { quantile } from './paired.js'
import { startProcesses, type FleetProcess } from './fleet/fleet-process.js'
import { medianSteps, pauses, type FleetPause } from './fleet/pauses.js'
import { cpuRatio, rest, TELLING } from './fleet/rest.js'
import type { FleetOrder } from './fleet/words.js'

const ROWS = 10_000
const PROCESSES = 8
const WRITES_A_SECOND = 1_000
const MOST_PAUSE_MILLIS = 50
const MOST_STATEMENTS = 5
/** With few writes, so that what grows is the barrier and not the load. */
const SCALE = { members: [8, 24, 64], aProcess: 8, writesASecond: 80 } as const

const PARTS = { pause, rest: atRest, scale } as const
type Part = (pair: Pair, quick: boolean, tell: (outcome: Outcome) => void) => Promise<void>

/** `BENCH_PART` names one part, or several with commas, for whoever works on them. */
export async function fleet(quick: boolean) {
  const only = process.env['BENCH_PART']?.split(',')
  const outcomes: (Outcome & { readonly load: number })[] = []
  console.log(HEAD)
  const tell = (outcome: Outcome): void => {
    outcomes.push({ ...outcome, load: Number((loadavg()[0] ?? Number.NaN).toFixed(1)) })
    console.log(line(outcome))
  }
  for (const [name, part] of Object.entries<Part>(PARTS)) {
    if (only && !only.includes(name)) continue
    const settings = { shared_buffers: '128MB', max_connections: '600' }
    const pair = await startPair({ settings: name === 'pause' ? settings : { ...settings, ...TELLING } })
    try {
      await part(pair, quick, tell)
    } finally {
      await pair.destroy()
    }
    console.log(
      `load average after "${name}": ${loadavg()
        .map((load) => load.toFixed(1))
        .join(', ')}`,
    )
  }
  return { outcomes: outcomes.map((outcome) => ({ ...outcome, met: isMet(outcome) })) }
}

async function begin(
  pair: Pair,
  name: string,
  processes: number,
  order: Omit<FleetOrder, 'name' | 'urls' | 'oldPort'>,
): Promise<FleetProcess[]> {
  const urls = await databases(pair, name, ITEM, someItems(1, ROWS))
  const orders = Array.from({ length: processes }, () => ({ ...order, name, urls, oldPort: pair.old.port }))
  const all = await startProcesses(orders)
  try {
    await all[0]?.advance('mirror')
    await all[0]?.advance('shadow')
    return all
  } catch (error) {
    await close(all)
    throw error
  }
}

const close = (all: readonly FleetProcess[]): Promise<unknown> => Promise.all(all.map((one) => one.close()))

async function pause(pair: Pair, quick: boolean, tell: (outcome: Outcome) => void): Promise<void> {
  const all = await begin(pair, 'bench_pause', PROCESSES, {
    members: 1,
    control: true,
    mirror: 'replication',
    callers: 4,
    rate: WRITES_A_SECOND / PROCESSES,
  })
  try {
    await Promise.all(all.map((one) => one.do('go')))
    const taken = await pauses(all, quick ? 4 : 20, shown)
    const of = (value: (one: FleetPause) => number): number[] => taken.map(value)
    const at = (share: number, values: readonly number[]): string => quantile(values, share).toFixed(1)
    const spans = of(({ pauseMillis }) => pauseMillis)
    const writes = quantile(
      of(({ writesASecond }) => writesASecond),
      0.5,
    )
    tell(
      median(`pause of ${PROCESSES} processes, ${taken.length} changes of writer`, 'ms', spans, {
        most: MOST_PAUSE_MILLIS,
        remark: `95 % ${at(0.95, spans)}, longest ${at(1, spans)}; ${Math.round(writes)} writes/s`,
      }),
    )
    const longest = of(({ longestMillis }) => longestMillis)
    tell(median('longest call of a change of writer', 'ms', longest, { remark: `of all ${at(1, longest)}` }))
    console.log(`  median of each step: ${stepsText(taken)}`)
    const failure = taken.find((one) => one.failed > 0)?.failure
    tell(
      median('failed writes', 'writes', [of(({ failed }) => failed).reduce((a, b) => a + b, 0)], {
        most: 0,
        ...(failure !== undefined && { remark: failure }),
      }),
    )
  } finally {
    await close(all)
  }
}

const stepsText = (taken: readonly FleetPause[]): string =>
  Object.entries(medianSteps(taken))
    .map(([step, millis]) => `${step} ${millis}`)
    .join(', ')

const shown = ({ pauseMillis, longestMillis, writesASecond }: FleetPause): void =>
  console.error(
    `  pause ${pauseMillis.toFixed(1)} ms, longest call ${longestMillis.toFixed(1)} ms, ${Math.round(writesASecond)} writes/s, load ${loadavg()[0]?.toFixed(1)}`,
  )

async function atRest(pair: Pair, quick: boolean, tell: (outcome: Outcome) => void): Promise<void> {
  const order = { members: 1, mirror: 'replication', callers: 2, rate: 60 } as const
  const half = PROCESSES / 2
  const members = await begin(pair, 'bench_rest', PROCESSES, { ...order, control: true })
  try {
    const idle = await rest(members, PROCESSES, pair, 'bench_rest', quick ? 8_000 : 20_000)
    tell(
      median('control statements of a member at rest', 'a second', [idle.statementsASecond], {
        most: MOST_STATEMENTS,
        remark: `connections ${idle.connections.old} to the old side and ${idle.connections.new} to the new one`,
      }),
    )
    tell(median('CPU time of an idle member', 'ms a second', [idle.cpuMillisASecond]))
    await close(members.splice(half))
    const alone = await startProcesses(
      Array.from({ length: half }, () => ({
        ...order,
        name: 'bench_alone',
        urls: { old: pair.old.url('bench_rest'), new: pair.new.url('bench_rest') },
        oldPort: pair.old.port,
        control: false,
      })),
    )
    try {
      await Promise.all([...members, ...alone].map((one) => one.do('go')))
      const ratios: number[] = []
      const same: number[] = []
      const slice = quick ? 2_000 : 5_000
      // The first slice warms up.
      for (let nr = 0; nr <= (quick ? 4 : 10); nr++) {
        const ratio = await cpuRatio(alone, members, slice)
        const again = await cpuRatio(alone.slice(0, half / 2), alone.slice(half / 2), slice)
        if (nr === 0) continue
        ratios.push(ratio)
        same.push(again)
      }
      tell({
        ...median(
          'CPU time a write of a member, 60 writes/s, to that of a process without control',
          '×',
          ratios,
        ),
        same: Number(quantile(same, 0.5).toPrecision(3)),
      })
    } finally {
      await close(alone)
    }
  } finally {
    await close(members)
  }
}

async function scale(pair: Pair, quick: boolean, tell: (outcome: Outcome) => void): Promise<void> {
  for (const members of SCALE.members) {
    const name = `bench_scale_${members}`
    const processes = members / SCALE.aProcess
    const all = await begin(pair, name, processes, {
      members: SCALE.aProcess,
      control: true,
      mirror: 'replication',
      callers: 1,
      rate: SCALE.writesASecond / processes,
    })
    try {
      const idle = await rest(all, members, pair, name, quick ? 5_000 : 10_000)
      tell(median(`${members} members: statements of each at rest`, 'a second', [idle.statementsASecond]))
      tell(median(`${members} members: CPU time of each at rest`, 'ms a second', [idle.cpuMillisASecond]))
      await Promise.all(all.map((one) => one.do('go')))
      const taken = await pauses(all, quick ? 2 : 6, shown)
      tell(
        median(
          `${members} members: pause of the fleet`,
          'ms',
          taken.map(({ pauseMillis }) => pauseMillis),
          {
            remark: stepsText(taken),
          },
        ),
      )
    } finally {
      await close(all)
    }
  }
}
