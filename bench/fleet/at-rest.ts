// What a member costs while nothing is moved, and what one that writes takes above a process that is no member.
import type { Pair } from '../../test/support/servers.js'
import type { PartOnPair, Tell } from '../on-pairs.js'
import { median } from '../outcome.js'
import { begin, close, join, SETTINGS, WHERE } from './ground.js'
import { cpuRatio, rest, TELLING } from './rest.js'

const PROCESSES = 8
const HALF = PROCESSES / 2
const ORDER = { members: 1, mirror: 'replication', callers: 2, rate: 60 } as const
const MOST_STATEMENTS = 5

const sizes = (quick: boolean) =>
  quick
    ? { idleMillis: 4_000, slices: 3, sliceMillis: 1_000 }
    : { idleMillis: 20_000, slices: 10, sliceMillis: 5_000 }

export const atRest: PartOnPair = {
  title: 'What does a member of a fleet cost at rest?',
  how: (quick) => {
    const { idleMillis, slices, sliceMillis } = sizes(quick)
    return [
      `${PROCESSES} processes, each a member, mirror by replication, phase \`shadow\`.`,
      `At rest nobody asks anything for ${idleMillis / 1_000} s: statements are counted by the logs of both servers, CPU time by each process itself.`,
      `Then ${HALF} members and ${HALF} processes with the same facade and no control connection make ${ORDER.rate} writes a second each, at the same time:`,
      `CPU time a write of the one group in that of the other, ${slices} slices of ${sliceMillis / 1_000} s, in turn with one half of the processes without control against the other half, which is the A/A.`,
      WHERE,
    ]
  },
  settings: { ...SETTINGS, ...TELLING },
  run: measure,
}

async function measure(pair: Pair, quick: boolean, tell: Tell): Promise<readonly string[]> {
  const { idleMillis, slices, sliceMillis } = sizes(quick)
  const members = await begin(pair, 'bench_rest', PROCESSES, { ...ORDER, control: true })
  try {
    const idle = await rest(members, PROCESSES, pair, 'bench_rest', idleMillis)
    tell(
      median('control statements of a member at rest', 'a second', [idle.statementsASecond], {
        most: MOST_STATEMENTS,
        remark: `connections ${idle.connections.old} to the old side and ${idle.connections.new} to the new one`,
      }),
    )
    tell(median('CPU time of an idle member', 'ms a second', [idle.cpuMillisASecond]))
    await close(members.splice(HALF))
    const alone = await join(pair, 'bench_rest', 'bench_alone', HALF, { ...ORDER, control: false })
    try {
      await Promise.all([...members, ...alone].map((one) => one.do('go')))
      const ratios: number[] = []
      const same: number[] = []
      // The first slice warms up.
      for (let nr = 0; nr <= slices; nr++) {
        const ratio = await cpuRatio(alone, members, sliceMillis)
        const again = await cpuRatio(alone.slice(0, HALF / 2), alone.slice(HALF / 2), sliceMillis)
        console.error(
          `  CPU time of a member to one without control ${ratio.toFixed(2)}, A/A ${again.toFixed(2)}`,
        )
        if (nr === 0) continue
        ratios.push(ratio)
        same.push(again)
      }
      const { measured, interval } = median('the same again', '×', same)
      tell(
        median('CPU time a write of a member, in that of a process without control', '×', ratios, {
          same: measured,
          ...(interval && { sameInterval: interval }),
        }),
      )
    } finally {
      await close(alone)
    }
  } finally {
    await close(members)
  }
  return []
}
