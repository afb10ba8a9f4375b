// How many rows a second a backfill brings to the other side.
import { installCapture } from '../../src/dual-write/capture.js'
import type { Pair } from '../../test/support/servers.js'
import { CORES, type PartOnPair, type Tell } from '../on-pairs.js'
import { median } from '../outcome.js'
import { rowsPerSecond } from './carried-rate.js'
import { databases, expectEqual, inPublic, ITEM, migrationOn, SETTINGS, someItems } from './ground.js'

const LEAST = 40_000

const sizes = (quick: boolean) => (quick ? { rows: 60_000, times: 1 } : { rows: 300_000, times: 5 })

export const backfill: PartOnPair = {
  title: 'Dual-write: how fast are the rows copied that were there before?',
  how: (quick) => {
    const { rows, times } = sizes(quick)
    return [
      `A table of ${rows.toLocaleString('en')} rows with its primary key and nothing else, into an empty one, ${times} times,`,
      'each in databases of their own; from the moment in which the relay leads until it has applied the last row,',
      'after which both sides are compared. Nobody writes meanwhile.',
      `Both servers, which have \`fsync\` on, and the relay's process share ${CORES}.`,
    ]
  },
  settings: SETTINGS,
  run: measure,
}

async function measure(pair: Pair, quick: boolean, tell: Tell): Promise<readonly string[]> {
  const { rows, times } = sizes(quick)
  const rates: number[] = []
  for (let nr = 0; nr < times; nr++) {
    const name = `bench_backfill_${nr}`
    const m = await migrationOn(name, await databases(pair, name, ITEM))
    try {
      await m.control.old.run(inPublic(someItems(1, rows)))
      await m.control.old.run('vacuum analyze public.item')
      await m.control.old.run('checkpoint')
      await installCapture(m, 'old', performance.now() + 10_000)
      rates.push(await rowsPerSecond(m, rows))
      await expectEqual(m, `select count(*) || ' ' || sum(n) from public.item`)
    } finally {
      await m.close()
    }
  }
  tell(median(`backfill of a table of ${rows.toLocaleString('en')} rows`, 'rows/s', rates, { least: LEAST }))
  return []
}
