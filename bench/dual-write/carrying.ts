// How many rows a second the relay carries over: of changes that are on record, near and far, and of a backfill.
import { setTimeout as delay } from 'node:timers/promises'
import type { Migration } from '../../src/control/migration.js'
import { installCapture } from '../../src/dual-write/capture.js'
import { RelayMember } from '../../src/dual-write/relay-member.js'
import type { Pair } from '../../test/support/servers.js'
import { delayed } from './delayed.js'
import { databases, expectEqual, forgetAll, ITEM, migrationOn, someItems, withClient } from './ground.js'
import { median, type Outcome } from '../outcome.js'

const LEAST_NEAR = 30_000
const LEAST_FAR = 15_000
const LEAST_BACKFILL = 40_000
const FAR_MILLIS = 20
const LOOK_MILLIS = 2

/** As a relay finds it that has been away: one transaction for each row. */
const CHANGES = `create procedure change(most int) language plpgsql as $$
  begin
    for i in 1 .. most loop
      update item set n = n + 1 where id = i;
      commit;
    end loop;
  end $$`

export async function carrying(pair: Pair, quick: boolean): Promise<Outcome[]> {
  const rows = quick ? 20_000 : 60_000
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
      for (let nr = 0; nr <= (quick ? 2 : 7); nr++) rates.push(await round(m))
      return rates.slice(1)
    }
    return [
      median('single-row changes that the relay carries over', 'rows/s', await rounds(near), {
        least: LEAST_NEAR,
      }),
      median(`the same with ${FAR_MILLIS} ms to the other side`, 'rows/s', await rounds(away), {
        least: LEAST_FAR,
      }),
    ]
  } finally {
    await Promise.allSettled([near.close(), away.close(), far.close()])
  }
}

export async function backfill(pair: Pair, quick: boolean): Promise<Outcome[]> {
  const rows = quick ? 60_000 : 500_000
  const rates: number[] = []
  for (let nr = 0; nr < (quick ? 1 : 3); nr++) {
    const name = `bench_backfill_${nr}`
    const urls = await databases(pair, name, ITEM)
    const m = await migrationOn(name, urls)
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
  return [
    median(`backfill of a table of ${rows.toLocaleString('en')} rows`, 'rows/s', rates, {
      least: LEAST_BACKFILL,
    }),
  ]
}

/** From the moment in which it leads. */
async function rowsPerSecond(m: Migration, rows: number): Promise<number> {
  const member = new RelayMember(m, 'old')
  member.start()
  try {
    while (!member.leading) await delay(LOOK_MILLIS)
    const began = performance.now()
    for (;;) {
      const { applied, trouble } = member.status()
      if (trouble !== undefined) throw new Error(`the relay cannot go on: ${trouble}`)
      if (applied >= rows) return (rows / (performance.now() - began)) * 1_000
      await delay(LOOK_MILLIS)
    }
  } finally {
    await member.close()
  }
}

const inPublic = (text: string): string => text.replace('into item', 'into public.item')
