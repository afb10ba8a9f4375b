// How the pause of a fleet and what its members cost at rest grow with their number.
import type { Pair } from '../../test/support/servers.js'
import type { PartOnPair, Tell } from '../on-pairs.js'
import { median } from '../outcome.js'
import { begin, close, SETTINGS, WHERE } from './ground.js'
import { pauses, stepsOf, type FleetPause } from './pauses.js'
import { rest, TELLING } from './rest.js'
import { shown } from './whole-pause.js'

const OF_A_PROCESS = 8
/** Few, so that what grows is the barrier and not the load. */
const WRITES_A_SECOND = 80
/** Everybody is waited for in them. */
const BARRIERS = ['hold', 'stop-reads']

const sizes = (quick: boolean) =>
  quick
    ? { members: [8, 24], idleMillis: 3_000, moves: 2 }
    : { members: [8, 24, 64], idleMillis: 10_000, moves: 6 }

export const growth: PartOnPair = {
  title: 'How does the pause of a fleet grow with its members?',
  how: (quick) => {
    const { members, idleMillis, moves } = sizes(quick)
    return [
      `${members.join(', ')} members, ${OF_A_PROCESS} to a process, each with its own pools, connections and gate; mirror by replication;`,
      `${WRITES_A_SECOND} writes a second by all together, so that what grows is the barrier and not the load.`,
      `First ${idleMillis / 1_000} s at rest, then ${moves} changes of writer, there and back.`,
      'Every member takes CPU time from every other one and from both servers, which in life it does not:',
      'on machines of their own it grows more slowly.',
      WHERE,
    ]
  },
  picture: { kind: 'lines', title: 'The pause over the members', unit: 'ms', along: 'members', scale: 'log' },
  settings: { ...SETTINGS, ...TELLING },
  run: measure,
}

async function measure(pair: Pair, quick: boolean, tell: Tell): Promise<readonly string[]> {
  const size = sizes(quick)
  const notes: string[] = []
  for (const members of size.members) {
    const name = `bench_scale_${members}`
    const processes = members / OF_A_PROCESS
    const all = await begin(pair, name, processes, {
      members: OF_A_PROCESS,
      control: true,
      mirror: 'replication',
      callers: 1,
      rate: WRITES_A_SECOND / processes,
    })
    try {
      const idle = await rest(all, members, pair, name, size.idleMillis)
      tell(median(`${members} members: statements of each at rest`, 'a second', [idle.statementsASecond]))
      tell(median(`${members} members: CPU time of each at rest`, 'ms a second', [idle.cpuMillisASecond]))
      await Promise.all(all.map((one) => one.do('go')))
      const { taken, failure } = await pauses(all, size.moves, shown)
      if (taken.length > 0) tellOf(members, taken, tell)
      if (failure !== undefined)
        notes.push(`${members} members: ${taken.length} of ${size.moves} changes of writer, then: ${failure}`)
    } finally {
      await close(all)
    }
  }
  return notes
}

function tellOf(members: number, taken: readonly FleetPause[], tell: Tell): void {
  const at = { x: members }
  const spans = taken.map(({ pauseMillis }) => pauseMillis)
  tell(median(`${members} members: pause`, 'ms', spans, { ...at, series: 'pause' }))
  const barriers = taken.map(({ steps }) => BARRIERS.reduce((sum, step) => sum + (steps[step] ?? 0), 0))
  tell(
    median(`${members} members: of it the barriers ${BARRIERS.join(' and ')}`, 'ms', barriers, {
      ...at,
      series: BARRIERS.join(' and '),
    }),
  )
  const prepare = stepsOf(taken).get('prepare')
  if (prepare)
    tell(
      median(`${members} members: step prepare, before anybody waits`, 'ms', prepare, {
        ...at,
        series: 'prepare',
      }),
    )
}
