// Moves there and back under the same paced writes: what each way costs its callers, with the other way in the same run.
import { setTimeout as delay } from 'node:timers/promises'
import type { Side } from '../../src/index.js'
import { seededRandom } from '../../test/support/seeded-random.js'
import { seed } from '../seed.js'
import { ITEMS, type Mover } from './movers.js'
import { changeUnderLoad, type Seen } from './paced-writes.js'

/** Of one way, in order. */
export interface Moved {
  /** Two of each quad. */
  readonly seen: readonly Seen[]
  /** The same writes for as long while nothing is moved: what the machine adds by itself. */
  readonly unmoved: readonly Seen[]
  /** Of the warm-up too. */
  readonly acknowledged: number
  /** Where it writes at last. */
  readonly at: Side
}

/** Each way in turn A B B A, so that a drift of the machine hits both alike. The first quad warms up. */
export async function movesOf<K extends string>(
  movers: Readonly<Record<K, Mover>>,
  quads: number,
  note: (line: string) => void,
): Promise<Record<K, Moved>> {
  const names = Object.keys(movers) as K[]
  const random = seededRandom(seed())
  const lines = Object.fromEntries(
    names.map((name) => [name, { at: 'old', acknowledged: 0, seen: [] as Seen[], unmoved: [] as Seen[] }]),
  ) as Record<K, { at: Side; acknowledged: number; seen: Seen[]; unmoved: Seen[] }>
  const under = async (name: K, change: () => Promise<void>): Promise<Seen> => {
    const write = (): Promise<number> => movers[name].write(1 + Math.floor(random() * ITEMS))
    const seen = await changeUnderLoad(write, change)
    lines[name].acknowledged += seen.written
    return seen
  }

  for (let quad = -1; quad < quads; quad++) {
    const order = quad % 2 === 0 ? names : names.toReversed()
    for (const name of [...order, ...order.toReversed()]) {
      const to = lines[name].at === 'old' ? 'new' : 'old'
      await movers[name].prepare(to)
      const seen = await under(name, () => movers[name].move(to))
      lines[name].at = to
      if (quad < 0) continue
      lines[name].seen.push(seen)
      note(`${name} to ${to}: ${told(seen)}`)
    }
    if (quad < 0) continue
    for (const name of order) {
      const millis = lines[name].seen.at(-1)?.changeMillis
      lines[name].unmoved.push(await under(name, () => delay(millis)))
    }
  }
  return lines
}

const told = ({ addedMillis, mostAddedMillis, pauseMillis, crossed, failed, written }: Seen): string =>
  `added ${addedMillis.toFixed(1)} ms (${mostAddedMillis.toFixed(1)} in all), pause ${pauseMillis.toFixed(1)} ms, ${crossed} crossed, ${failed} failed, ${written} written`
