// How long a flip takes from the flag service's write to the swapped route and the changed phase, idle, by both SDKs.
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import type pg from 'pg'
import { launchDarkly } from '../adapters/launchdarkly.js'
import { createCutover, type CutoverEvent, type Side } from '../src/index.js'
import { startPair } from '../test/support/servers.js'
import { startFlagClients, type FlagClient } from './flag-clients.js'
import { quantile } from './paired.js'
import { stubConfig } from './stub-client.js'

const FLAG = 'orders-database'
const UPDATE = `update:${FLAG}`
const MAX = 10
// Open on the side that is left, and so on the other side before each flip.
const CONNECTIONS = 4
const GIVE_UP_MILLIS = 10_000

/** What is measured of one flip, in milliseconds, and how it is called where it is printed. */
const SPANS = {
  heard: 'write to heard by the SDK',
  swapped: 'heard to route swapped',
  prepare: '  connections opened',
  pause: '  hold, drain, server asked, flip',
  opened: 'heard to the other side',
  phase: 'heard to phase changed',
} as const
type Flip = Readonly<Record<keyof typeof SPANS, number>>

interface Where {
  readonly old: pg.PoolConfig
  readonly new: pg.PoolConfig
}

/** Old to new and back again, each begun when the one before it has ended. */
async function flips(
  client: FlagClient,
  write: (value: Side) => void,
  where: Where,
  count: number,
): Promise<Flip[]> {
  const taken: Flip[] = []
  let wanted: Side = 'old'
  let at: Partial<Record<'heard' | 'swapped' | 'opened' | 'phase', number>> = {}
  // Before the source's own listener, which is what starts the move.
  client.on(UPDATE, () => void (at.heard ??= performance.now()))
  const heard = new Promise<void>((resolve) => client.once(UPDATE, resolve))
  write('old')
  await heard
  const cutover = createCutover({
    name: 'bench',
    ...where,
    source: launchDarkly(client, FLAG),
    control: false,
  })
  cutover.on('route', ({ side }) => {
    at.swapped ??= performance.now()
    if (side === wanted) at.opened ??= performance.now()
  })
  cutover.on('phase', () => void (at.phase ??= performance.now()))
  try {
    await cutover.ready()
    for (let flip = -Math.ceil(count / 10); flip < count; flip++) {
      while (cutover.status().route !== 'direct') await once(cutover, 'route')
      await Promise.all(Array.from({ length: CONNECTIONS }, () => cutover.pool.query('select 1')))
      await turn()
      wanted = wanted === 'old' ? 'new' : 'old'
      at = {}
      const signal = AbortSignal.timeout(GIVE_UP_MILLIS)
      const ended = once(cutover, 'cutover', { signal }) as Promise<[CutoverEvent]>
      const written = performance.now()
      write(wanted)
      const [{ outcome, reason, pauseMillis, steps }] = await ended
      const { heard, swapped, opened, phase } = at
      if (outcome !== 'done' || !heard || !swapped || !opened || !phase)
        throw new Error(`flip ${flip} to ${wanted} ended as ${outcome}: ${reason}`)
      if (flip < 0) continue
      taken.push({
        heard: heard - written,
        swapped: swapped - heard,
        prepare: steps['prepare'] ?? Number.NaN,
        pause: pauseMillis,
        opened: opened - heard,
        phase: phase - heard,
      })
    }
  } finally {
    await cutover.end()
  }
  return taken
}

function summary(taken: readonly Flip[]) {
  const spans = Object.entries(SPANS).map(([name, what]) => {
    const times = taken.map((flip) => flip[name as keyof Flip])
    const [median, p90, p99] = [0.5, 0.9, 0.99].map((share) => round(quantile(times, share)))
    console.log(`    ${what.padEnd(34)}${median}, ${p90}, ${p99}`)
    return [`${name}Millis`, { median, p90, p99 }] as const
  })
  return Object.fromEntries(spans)
}

export async function flip(stub: boolean, quick: boolean) {
  const count = quick ? 30 : 300
  const pair = stub ? undefined : await startPair()
  const flags = await startFlagClients(FLAG, 'old')
  const where: Where = pair
    ? {
        old: { connectionString: pair.old.url(), max: MAX },
        new: { connectionString: pair.new.url(), max: MAX },
      }
    : { old: stubConfig(MAX), new: stubConfig(MAX) }
  const write = (value: Side): void => flags.service.setValue(FLAG, value)
  try {
    console.log(
      `${count} flips old to new and back, direct mode, idle, ${stub ? 'stub clients' : 'two real servers'}, ${CONNECTIONS} connections; milliseconds: median, 90 %, 99 %`,
    )
    console.log('  LaunchDarkly SDK 9')
    const launchDarkly9 = summary(await flips(flags.launchDarkly9, write, where, count))
    console.log('  LaunchDarkly SDK 7')
    const launchDarkly7 = summary(await flips(flags.launchDarkly7, write, where, count))
    return { flips: count, launchDarkly9, launchDarkly7 }
  } finally {
    await flags.close()
    await pair?.destroy()
  }
}

const round = (value: number): number => Math.round(value * 1_000) / 1_000
