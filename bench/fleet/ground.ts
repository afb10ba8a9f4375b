// A fleet with its databases, ready to be measured: every member in the phase `shadow`, with rows to write to.
import type { Pair } from '../../test/support/servers.js'
import { databases, ITEM, someItems } from '../dual-write/ground.js'
import { CORES } from '../on-pairs.js'
import { seed } from '../seed.js'
import { startProcesses, type FleetProcess } from './fleet-process.js'
import type { FleetOrder } from './words.js'

const ROWS = 10_000

/** Of the servers of each part. */
export const SETTINGS = { shared_buffers: '128MB', max_connections: '600' } as const

export const WHERE = `Both servers, which have \`fsync\` on, all processes of the fleet and the benchmark's own share ${CORES}.`

type Order = Omit<FleetOrder, 'name' | 'urls' | 'oldPort' | 'items' | 'seed'>

export async function begin(
  pair: Pair,
  name: string,
  processes: number,
  order: Order,
): Promise<FleetProcess[]> {
  await databases(pair, name, ITEM, someItems(1, ROWS))
  const all = await join(pair, name, name, processes, order)
  try {
    await all[0]?.advance('mirror')
    await all[0]?.advance('shadow')
    return all
  } catch (error) {
    await close(all)
    throw error
  }
}

/** Processes on a database that is there. */
export function join(
  pair: Pair,
  database: string,
  name: string,
  processes: number,
  order: Order,
): Promise<FleetProcess[]> {
  const urls = { old: pair.old.url(database), new: pair.new.url(database) }
  return startProcesses(
    Array.from({ length: processes }, (_, nr) => ({
      ...order,
      name,
      urls,
      oldPort: pair.old.port,
      items: ROWS,
      seed: seed() + nr,
    })),
  )
}

export const close = (all: readonly FleetProcess[]): Promise<unknown> =>
  Promise.all(all.map((one) => one.close()))
