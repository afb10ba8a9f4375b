// How many changes a second that are on record the relay carries over, to a server that is near and to one that is far.
import type { Migration } from '../../src/control/migration.js'
import { installCapture } from '../../src/dual-write/capture.js'
import type { Pair } from '../../test/support/servers.js'
import { CORES, type PartOnPair, type Tell } from '../on-pairs.js'
import { median } from '../outcome.js'
import { rowsPerSecond } from './carried-rate.js'
import { delayed } from './delayed.js'
import { databases, expectEqual, forgetAll, inPublic, ITEM, migrationOn } from './ground.js'
import { SETTINGS, someItems, withClient } from './ground.js'

const LEAST_NEAR = 30_000
const LEAST_FAR = 15_000
const FAR_MILLIS = 20

const sizes = (quick: boolean) => (quick ? { rows: 20_000, rounds: 2 } : { rows: 60_000, rounds: 7 })

/** As a relay finds it that has been away: one transaction for each row. */
const CHANGES = `create procedure change(most int) language plpgsql as $$
  begin
    for i in 1 .. most loop
      update item set n = n + 1 where id = i;
      commit;
    end loop;
  end $$`

export const carrying: PartOnPair = {
  title: 'Dual-write: how many changes a second does the relay carry over?',
  how: (quick) => {
    const { rows, rounds } = sizes(quick)
    return [
      `${rows.toLocaleString('en')} changes of rows of their own, each of a transaction of its own, are on record when a relay begins to lead;`,
      'from then until it has applied the last one, after which both sides are compared.',
      `Median of ${rounds} rounds after one that warms up. Nobody writes meanwhile.`,
      `Far is a proxy that gives on every byte ${FAR_MILLIS / 2} ms later, both ways.`,
      `Both servers, which have \`fsync\` on, and the relay's process share ${CORES}.`,
    ]
  },
  picture: { kind: 'bars', title: 'Changes carried over', unit: 'rows/s' },
  settings: SETTINGS,
  run: measure,
}

async function measure(pair: Pair, quick: boolean, tell: Tell): Promise<readonly string[]> {
  const { rows, rounds: count } = sizes(quick)
  const urls = await databases(pair, 'bench_relay', `${ITEM}; ${CHANGES}`)
  const far = await delayed(pair.new.port, FAR_MILLIS)
  const near = await migrationOn('bench_relay', urls)
  const away = await migrationOn('bench_relay', { old: urls.old, new: far.url(urls.new) })
  try {
    await installCapture(near, 'old', performance.now() + 10_000)
    for (const side of ['old', 'new'] as const) await near.control[side].run(inPublic(someItems(1, rows)))
    await near.control.old.run(`${forgetAll(near)}; update cutover.backfill set finished = clock_timestamp()`)
    const round = async (m: Migration): Promise<number> => {
      await withClient(urls.old, async (client) => {
        await client.query('set synchronous_commit = off')
        await client.query(`call change(${rows})`)
        await client.query('checkpoint')
      })
      const rate = await rowsPerSecond(m, rows)
      await expectEqual(m, 'select sum(n) from public.item')
      return rate
    }
    const rounds = async (m: Migration): Promise<number[]> => {
      const rates: number[] = []
      // The first one warms up.
      for (let nr = 0; nr <= count; nr++) rates.push(await round(m))
      return rates.slice(1)
    }
    tell(
      median('single-row changes that the relay carries over', 'rows/s', await rounds(near), {
        least: LEAST_NEAR,
      }),
    )
    tell(
      median(`the same with ${FAR_MILLIS} ms to the other side`, 'rows/s', await rounds(away), {
        least: LEAST_FAR,
      }),
    )
    return []
  } finally {
    await Promise.allSettled([near.close(), away.close(), far.close()])
  }
}
