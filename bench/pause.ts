// How long writes pause at a change of writer: in one process, over load, pool size, long queries, and the first time.
import { loadavg } from 'node:os'
import { HEAD, line } from './outcome.js'
import type { Part } from './report.js'
import { firstMove } from './pause/first.js'
import type { Move } from './pause/move.js'
import {
  main,
  overConnections,
  overLoad,
  overLong,
  readsMeanwhile,
  stepsOf,
  theFirst,
} from './pause/parts.js'
import { moved, type Moved, type Setting } from './pause/service.js'

const MAIN: Setting = { writes: 1_000, reads: 0, connections: 20, longMillis: 0 }
const READS = 200

interface Sizes {
  readonly main: number
  readonly others: number
  readonly first: number
  /** Besides the main one. */
  readonly loads: readonly number[]
  readonly pools: readonly number[]
  readonly longs: readonly number[]
}

const FULL: Sizes = {
  main: 60,
  others: 7,
  first: 5,
  loads: [100, 3_000],
  pools: [5, 50],
  longs: [0, 100, 500],
}
const QUICK: Sizes = { main: 4, others: 1, first: 1, loads: [100], pools: [50], longs: [0, 500] }

/** Each case has servers of its own. */
export async function pause(quick: boolean) {
  const sizes = quick ? QUICK : FULL
  const parts: Part[] = []
  const tell = (part: Part): void => {
    parts.push(part)
    console.log(`\n${part.title}\n${HEAD}`)
    for (const outcome of part.outcomes) console.log(line(outcome))
  }
  const usual = await take(MAIN, sizes.main)
  tell(main(usual))
  tell(stepsOf(usual))
  const load = [usual]
  for (const writes of sizes.loads) load.push(await take({ ...MAIN, writes }, sizes.others))
  tell(overLoad(load.toSorted((a, b) => a.asked - b.asked)))
  const pools = [usual]
  for (const connections of sizes.pools) pools.push(await take({ ...MAIN, connections }, sizes.others))
  tell(overConnections(pools.toSorted((a, b) => a.setting.connections - b.setting.connections)))
  const longs: Moved[] = []
  for (const longMillis of sizes.longs)
    longs.push(await take({ ...MAIN, reads: READS, longMillis }, sizes.others))
  tell(overLong(longs))
  tell(readsMeanwhile(longs))
  const first: Move[] = []
  for (let nr = 0; nr < sizes.first; nr++) {
    const move = await firstMove(MAIN)
    shown(move)
    first.push(move)
  }
  tell(theFirst(first, usual.moves))
  return { parts }
}

function take(setting: Setting, count: number): Promise<Moved> {
  const { writes, reads, connections, longMillis } = setting
  console.error(
    `${writes} writes/s, ${reads} reads/s, ${connections} connections, ${longMillis === 0 ? 'no long query' : `a query of ${longMillis} ms`}`,
  )
  return moved(setting, count, shown)
}

const shown = ({ pauseMillis, longestMillis, usualMillis, writesASecond, aborted }: Move): void =>
  console.error(
    `  pause ${pauseMillis.toFixed(1)} ms, longest write ${longestMillis.toFixed(1)} ms, usual ${usualMillis.toFixed(1)} ms, ${Math.round(writesASecond)} writes/s${aborted > 0 ? `, ${aborted} attempts aborted` : ''}, load ${loadavg()[0]?.toFixed(1)}`,
  )
