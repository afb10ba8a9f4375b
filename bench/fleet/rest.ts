// What members cost while nothing is moved: statements at the servers, connections, and CPU time of their processes.
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Pair, Server } from '../../test/support/servers.js'
import { withClient } from '../dual-write/ground.js'
import type { FleetProcess } from './fleet-process.js'

const SIDES = ['old', 'new'] as const

/** With these settings a server tells of every statement; counting transactions would count those of the apply workers as well. */
export const TELLING = { log_statement: 'all' } as const

/** What members have sent so far, by the server's own log. */
function statements(server: Server, database: string): number {
  const told = new RegExp(`pg-cutover[^@\\n]*@${database} LOG: +(?:statement|execute)`, 'g')
  return readFileSync(server.logFile, 'utf8').match(told)?.length ?? 0
}

export interface Rest {
  /** Of each member, at both sides together. */
  readonly statementsASecond: number
  /** Of each member, without those of its pools. */
  readonly connections: Readonly<Record<(typeof SIDES)[number], number>>
  /** Of each member, milliseconds of CPU time a second in its own process. */
  readonly cpuMillisASecond: number
}

/** Nobody writes or reads meanwhile. */
export async function rest(
  processes: readonly FleetProcess[],
  members: number,
  pair: Pair,
  database: string,
  millis: number,
): Promise<Rest> {
  await Promise.all(processes.map((one) => one.do('begin')))
  const began = performance.now()
  const sum = (): number => SIDES.reduce((so, side) => so + statements(pair[side], database), 0)
  const before = sum()
  await delay(millis)
  const after = sum()
  const seconds = (performance.now() - began) / 1000
  const told = await Promise.all(processes.map((one) => one.tell()))
  const connections = async (side: (typeof SIDES)[number]): Promise<number> =>
    withClient(pair[side].url(), async (client) => {
      const { rows } = await client.query<{ count: number }>(
        `select count(*)::int as count from pg_stat_activity where datname = $1 and application_name like 'pg-cutover%'`,
        [database],
      )
      return (rows[0]?.count ?? Number.NaN) / members
    })
  return {
    statementsASecond: (after - before) / seconds / members,
    connections: { old: await connections('old'), new: await connections('new') },
    cpuMillisASecond: told.reduce((sum, one) => sum + one.cpuMicros / one.millis, 0) / members,
  }
}

/** CPU time a write of the second group in those of the first, both at work at the same time. */
export async function cpuRatio(
  one: readonly FleetProcess[],
  other: readonly FleetProcess[],
  millis: number,
): Promise<number> {
  const all = [...one, ...other]
  await Promise.all(all.map((process) => process.do('begin')))
  await delay(millis)
  const told = await Promise.all(all.map((process) => process.tell()))
  const cost = (group: typeof told): number =>
    group.reduce((sum, { cpuMicros }) => sum + cpuMicros, 0) /
    group.reduce((sum, { old, new: opened }) => sum + old.count + opened.count, 0)
  return cost(told.slice(one.length)) / cost(told.slice(0, one.length))
}
