// What is done to a fleet at a step of a move, each with the way in which it is over again.
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Side } from '../../src/phase/phases.js'
import type { Proxy } from '../support/proxy.js'
import type { Server } from '../support/servers.js'
import { ORDER } from './bank-pause.js'
import { SIDES } from './chaos-process.js'
import type { BankProcess } from './chaos-process.js'

/** What there is to be broken in one case. */
export interface Scene {
  readonly servers: Readonly<Record<Side, Server>>
  readonly coordinator: BankProcess
  /** A member that is not the coordinator. */
  readonly member: BankProcess
  /** The way that the mirror takes to each server. */
  readonly mirror: Readonly<Record<Side, Proxy>>
  /** The side being left. */
  readonly from: Side
  /** The application's own URLs, and the owner's, without a proxy. */
  readonly urls: Readonly<Record<Side, string>>
  readonly owner: Readonly<Record<Side, string>>
  readonly holdMillis: number
  readonly random: () => number
}

/** Gives what ends the fault, and what the coordinator is told when it is let go on. */
interface Fault {
  readonly begin: (scene: Scene) => Promise<Begun> | Begun
}
interface Begun {
  /** How long it lasts. */
  readonly millis: number
  readonly end: () => Promise<unknown> | void
  /** Left out where the coordinator is killed. */
  readonly order?: string
}

const GO = ORDER.go
/** Longer than what confirms a member. */
const PAST_CONFIRMATION_MILLIS = 2_300

const kill = (whom: 'coordinator' | 'member'): Fault => ({
  begin: async (scene) => {
    await scene[whom].kill()
    return { millis: 0, end: () => {}, order: GO }
  },
})

const killServer = (side: Side): Fault => ({
  begin: async ({ servers, random }) => {
    await servers[side].kill()
    return { millis: random() * 600, end: () => servers[side].start(), order: GO }
  },
})

const stop = (whom: 'coordinator' | 'member', past: 'confirmation' | 'lease'): Fault => ({
  begin: (scene) => {
    const one = scene[whom]
    one.signal('SIGSTOP')
    const lease = Math.max(scene.holdMillis + 500, PAST_CONFIRMATION_MILLIS)
    return {
      millis: past === 'lease' ? lease : PAST_CONFIRMATION_MILLIS,
      end: () => one.signal('SIGCONT'),
      order: GO,
    }
  },
})

const PATHS = {
  'member–OLD': ({ member }: Scene) => [member.ways.pools.old],
  'member–NEW': ({ member }: Scene) => [member.ways.pools.new],
  'member–control': ({ member }: Scene) => SIDES.map((side) => member.ways.control[side]),
  'coordinator–OLD': ({ coordinator }: Scene) => [coordinator.ways.control.old],
  'coordinator–NEW': ({ coordinator }: Scene) => [coordinator.ways.control.new],
  'OLD–NEW': ({ mirror }: Scene) => SIDES.map((side) => mirror[side]),
} as const satisfies Record<string, (scene: Scene) => readonly Proxy[]>

/** Some are over before anybody has noticed, some after the confirmation, some after the hold. */
const someTime = ({ random, holdMillis }: Scene): number =>
  [300, PAST_CONFIRMATION_MILLIS, holdMillis + 500][Math.floor(random() * 3)] ?? 300

const cut = (path: keyof typeof PATHS): Fault => ({
  begin: async (scene) => {
    const ways = PATHS[path](scene)
    for (const way of ways) {
      await way.refuse()
      way.cut()
    }
    return {
      millis: scene.random() * 500,
      end: () => Promise.all(ways.map((way) => way.resume())),
      order: GO,
    }
  },
})

/** What was sent arrives later. */
const stall = (path: keyof typeof PATHS): Fault => ({
  begin: (scene) => {
    const ways = PATHS[path](scene)
    // The answers alone is the worse of the two: what was asked for is done.
    for (const way of ways) way.stall(scene.random() < 0.5 ? 'to-client' : 'both')
    return { millis: someTime(scene), end: () => Promise.all(ways.map((way) => way.resume())), order: GO }
  },
})

/** What was sent never arrives, and nobody says so. */
const blackhole = (path: keyof typeof PATHS): Fault => ({
  begin: (scene) => {
    const ways = PATHS[path](scene)
    for (const way of ways) way.stall(scene.random() < 0.5 ? 'to-client' : 'both')
    return {
      millis: someTime(scene),
      end: () =>
        Promise.all(
          ways.map((way) => {
            way.cut()
            return way.resume()
          }),
        ),
      order: GO,
    }
  },
})

/** Somebody else's transaction, which is in the way of the fence, or of the mirror. */
const lock: Fault = {
  begin: async ({ owner, from, random }) => {
    const side: Side = random() < 0.7 ? from : from === 'old' ? 'new' : 'old'
    const client = await connected(owner[side], 'foreign')
    await client.query('begin')
    // One that waits behind the fence, or a writer of the step before, is no lock that is held.
    await client.query(`set local lock_timeout = '300ms'`)
    await client
      .query(`lock table public.account in ${random() < 0.5 ? 'row exclusive' : 'exclusive'} mode`)
      .catch(() => {})
    return { millis: 700 + random() * 900, end: () => client.end(), order: GO }
  },
}

/** No connection is left for anybody who is no superuser. */
const full = (side: Side): Fault => ({
  begin: async ({ urls }) => {
    const clients: pg.Client[] = []
    let room = true
    const fill = async (): Promise<void> => {
      while (room)
        try {
          clients.push(await connected(urls[side], 'crowd'))
        } catch {
          room = false
        }
    }
    await Promise.all(Array.from({ length: 8 }, fill))
    return { millis: 1_200, end: () => Promise.all(clients.map((client) => client.end())), order: GO }
  },
})

const clock = (whom: 'coordinator' | 'member'): Fault => ({
  begin: ({ member, random }) => {
    const ahead = random() < 0.5
    if (whom === 'member') member.tell({ do: 'clock', millis: ahead ? 3_600_000 : -3_600_000 })
    const order = ahead ? ORDER.clockAhead : ORDER.clockBehind
    return { millis: 300, end: () => {}, order: whom === 'coordinator' ? order : GO }
  },
})

async function connected(connectionString: string, application_name: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString, application_name })
  client.on('error', () => {})
  await client.connect()
  return client
}

const PATH_NAMES = Object.keys(PATHS) as (keyof typeof PATHS)[]
const byPath = (what: string, fault: (path: keyof typeof PATHS) => Fault): [string, Fault][] =>
  PATH_NAMES.map((path) => [`${what} ${path}`, fault(path)])

export const FAULTS: ReadonlyMap<string, Fault> = new Map([
  ['kill the coordinator', kill('coordinator')],
  ['kill a member', kill('member')],
  ['kill OLD', killServer('old')],
  ['kill NEW', killServer('new')],
  ['stop the coordinator past the confirmation', stop('coordinator', 'confirmation')],
  ['stop the coordinator past the lease', stop('coordinator', 'lease')],
  ['stop a member past the confirmation', stop('member', 'confirmation')],
  ['stop a member past the lease', stop('member', 'lease')],
  ...byPath('cut', cut),
  ...byPath('stall', stall),
  ...byPath('blackhole', blackhole),
  ['a lock', lock],
  ['OLD full', full('old')],
  ['NEW full', full('new')],
  ['clock of the coordinator', clock('coordinator')],
  ['clock of a member', clock('member')],
])

/** Breaks it, lets the coordinator go on, and mends it. */
export async function inflict(name: string, scene: Scene): Promise<void> {
  const fault = FAULTS.get(name)
  if (!fault) throw new Error(`no fault "${name}"`)
  const { millis, end, order = GO } = await fault.begin(scene)
  scene.coordinator.goOn(order)
  await delay(millis)
  await end()
}
