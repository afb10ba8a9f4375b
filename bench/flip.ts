// How long a flip takes from the flag service's write to the swapped route and the changed phase, idle, by both SDKs.
import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import type pg from 'pg'
import { launchDarkly } from '../adapters/launchdarkly.js'
import { createCutover, type CutoverEvent, type Side } from '../src/index.js'
import { startPair } from '../test/support/servers.js'
import { startFlagClients, type FlagClient } from './flag-clients.js'
import { median, type Outcome } from './outcome.js'
import { quantile } from './paired.js'
import { printPart } from './print-part.js'
import type { Part } from './report.js'
import { stubConfig } from './stub-client.js'

const FLAG = 'orders-database'
const UPDATE = `update:${FLAG}`
const MAX = 10
// Open on the side that is left, and so on the other side before each flip.
const CONNECTIONS = 4
const GIVE_UP_MILLIS = 10_000

type Span = 'heard' | 'swapped' | 'prepare' | 'pause' | 'opened' | 'phase'

/** What is measured of one flip, in milliseconds, and how it is called where it is printed. */
const SPANS: Readonly<Record<Span, { readonly what: string; readonly most?: number }>> = {
  heard: { what: 'write to heard by the SDK' },
  swapped: { what: 'heard to route swapped', most: 1 },
  prepare: { what: 'of the move: connections opened, before any call waits' },
  pause: { what: 'of the move: hold, drain, server asked, flip' },
  opened: { what: 'heard to the other side' },
  phase: { what: 'heard to phase changed' },
}
type Flip = Readonly<Record<Span, number>>

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

/** A line for each span of this SDK, and the same figures for whoever reads JSON. */
function told(sdk: string, taken: readonly Flip[]) {
  const spans = Object.entries(SPANS).map(([name, { what, most }]) => {
    const times = taken.map((flip) => flip[name as keyof Flip])
    const [p90, p99] = [0.9, 0.99].map((share) => Number(quantile(times, share).toPrecision(3)))
    const outcome = median(`${what}, SDK ${sdk}`, 'ms', times, {
      ...(most !== undefined && { most }),
      remark: `90 %: ${p90}, 99 %: ${p99}`,
    })
    return { outcome, figure: [`${name}Millis`, { median: outcome.measured, p90, p99 }] as const }
  })
  return {
    outcomes: spans.map(({ outcome }) => outcome),
    figures: Object.fromEntries(spans.map(({ figure }) => figure)),
  }
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
    console.error('SDK 9')
    const nine = told('9', await flips(flags.launchDarkly9, write, where, count))
    console.error('SDK 7')
    const seven = told('7', await flips(flags.launchDarkly7, write, where, count))
    return {
      parts: [printPart(partOf(stub, count, [...nine.outcomes, ...seven.outcomes]))],
      flips: count,
      launchDarkly9: nine.figures,
      launchDarkly7: seven.figures,
    }
  } finally {
    await flags.close()
    await pair?.destroy()
  }
}

const partOf = (stub: boolean, count: number, outcomes: readonly Outcome[]): Part => ({
  title: `How long is it from the flag to the route${stub ? ', without servers' : ''}?`,
  how: `${count} flips from \`old\` to \`new\` and back with each LaunchDarkly SDK, through \`launchDarkly()\`, from the write in a flag service on
loopback. Direct mode, one process, no traffic, ${stub ? 'clients that answer at once' : 'two servers'}, ${CONNECTIONS} connections open on the side that is left. Median,
with what 90 and 99 in a hundred stay below. The scale of the picture is logarithmic.`,
  outcomes,
  picture: {
    kind: 'bars',
    title: `From the flag to the route${stub ? ', without servers' : ''}`,
    unit: 'ms',
    scale: 'log',
  },
  notes: [
    'The route is swapped first when the move begins: calls go on at once, but pass the own line of the process from then on.',
    'What follows is no longer the way of the flag but a change of writer: as many connections as are in use are opened on the other side, new calls are held, the server is asked whether it is still at work, and the route leads to the other side. With traffic the drain waits for what is under way besides.',
  ],
})
