// What it costs to know the phase, against asking a flag service's SDK for it each time.
import { AsyncLocalStorage } from 'node:async_hooks'
import { InMemoryProvider, OpenFeature } from '@openfeature/server-sdk'
import type { Cutover, Phase } from '../src/index.js'
import { againstItself } from './against-itself.js'
import { CONTEXT, startFlagClients, type FlagClients } from './flag-clients.js'
import { movedTo } from './moved-cutover.js'
import type { Outcome } from './outcome.js'
import { printPart } from './print-part.js'
import type { Part } from './report.js'

const BATCH = 1_000
const FLAG = 'orders-database'
const VALUE = 'live'
// Several migrations in turn, so that no compiler may read one phase once for the whole batch.
const IN_TURN = ['old', 'shadow', VALUE, 'new'] as const satisfies readonly Phase[]
const TURN = IN_TURN.length - 1
const MOST_NANOS = 10

/** One batch; gives how many of its lookups found {@link VALUE}. */
type Batch = () => number | Promise<number>

interface Way {
  readonly what: string
  readonly most?: number
  /** Batches in a slice: a millisecond or more, since CPU time is told in microseconds. */
  readonly batches: number
  readonly hits: number
  /** A loop of its own for each way: one for all would be compiled for all, as no call site of a service is. */
  readonly batch: Batch
}

type Ways = Readonly<Record<string, Way>>

function inMemory(cutovers: readonly Cutover[]): Ways {
  const names: readonly Phase[] = IN_TURN
  const map = new Map(names.map((phase) => [`flag-${phase}`, phase]))
  const keys = [...map.keys()]
  const pools = cutovers.map(({ pool }) => pool as unknown as { readonly route: object })
  const wanted = pools[IN_TURN.indexOf(VALUE)]?.route
  const loop = (): number => {
    let hits = 0
    for (let call = 0; call < BATCH; call++) if (names[call & TURN] === VALUE) hits++
    return hits
  }
  const phase = (): number => {
    let hits = 0
    for (let call = 0; call < BATCH; call++) if (cutovers[call & TURN]?.phase === VALUE) hits++
    return hits
  }
  const route = (): number => {
    let hits = 0
    for (let call = 0; call < BATCH; call++) if (pools[call & TURN]?.route === wanted) hits++
    return hits
  }
  const inMap = (): number => {
    let hits = 0
    for (let call = 0; call < BATCH; call++) if (map.get(keys[call & TURN] ?? '') === VALUE) hits++
    return hits
  }
  const batches = { batches: 400, hits: BATCH / IN_TURN.length }
  return {
    lookup: { what: 'cutover.phase', most: MOST_NANOS, ...batches, batch: phase },
    route: { what: 'the field that the pool reads at each query', ...batches, batch: route },
    loop: { what: 'the loop alone, a constant', ...batches, batch: loop },
    map: { what: 'an entry of a Map, by the name of a flag', ...batches, batch: inMap },
  }
}

/** Evaluations as a service would write them; one that is not awaited says nothing, since all of them are promises. */
async function evaluated({ launchDarkly9, launchDarkly7 }: FlagClients): Promise<Ways> {
  const variants = Object.fromEntries(IN_TURN.map((phase) => [phase, phase]))
  await OpenFeature.setProviderAndWait(
    new InMemoryProvider({ [FLAG]: { variants, defaultVariant: VALUE, disabled: false } }),
  )
  const openFeature = OpenFeature.getClient()
  const context = { targetingKey: CONTEXT.key }
  const known = Promise.resolve(VALUE)
  const awaited = async (): Promise<number> => {
    let hits = 0
    for (let call = 0; call < BATCH; call++) if ((await known) === VALUE) hits++
    return hits
  }
  const nine = async (): Promise<number> => {
    let hits = 0
    for (let call = 0; call < BATCH; call++)
      if ((await launchDarkly9.variation(FLAG, CONTEXT, 'old')) === VALUE) hits++
    return hits
  }
  const seven = async (): Promise<number> => {
    let hits = 0
    for (let call = 0; call < BATCH; call++)
      if ((await launchDarkly7.variation(FLAG, CONTEXT, 'old')) === VALUE) hits++
    return hits
  }
  const open = async (): Promise<number> => {
    let hits = 0
    for (let call = 0; call < BATCH; call++)
      if ((await openFeature.getStringValue(FLAG, 'old', context)) === VALUE) hits++
    return hits
  }
  const some = { batches: 2, hits: BATCH }
  return {
    await: { what: 'await alone, of a known value', ...some, batch: awaited },
    launchDarkly9: { what: 'variation, @launchdarkly/node-server-sdk 9', ...some, batch: nine },
    launchDarkly7: { what: 'variation, launchdarkly-node-server-sdk 7', ...some, batch: seven },
    openFeature: { what: 'getStringValue, @openfeature/server-sdk in memory', ...some, batch: open },
  }
}

/** Run last of all: once `run` was called, every promise of the process costs more. */
function inAsyncLocalStorage(): Ways {
  const storage = new AsyncLocalStorage<Phase>()
  const batch = (): number =>
    storage.run(VALUE, () => {
      let hits = 0
      for (let call = 0; call < BATCH; call++) if (storage.getStore() === VALUE) hits++
      return hits
    })
  return { asyncLocalStorage: { what: 'AsyncLocalStorage.getStore', batches: 400, hits: BATCH, batch } }
}

/** Nanoseconds of CPU a lookup: what others do on the machine meanwhile is not counted. */
async function slice({ what, batches, hits, batch }: Way): Promise<number> {
  let found = 0
  const before = process.cpuUsage()
  for (let round = 0; round < batches; round++) {
    const one = batch()
    found += typeof one === 'number' ? one : await one
  }
  const { user, system } = process.cpuUsage(before)
  if (found !== hits * batches) throw new Error(`${what}: ${found} of ${hits * batches} lookups were right`)
  return ((user + system) * 1_000) / (BATCH * batches)
}

/** All ways in turn and back again, round after round, so that a drift of the machine hits them alike; a quarter more warms up. */
async function inTurn(ways: Ways, rounds: number): Promise<Readonly<Record<string, Outcome>>> {
  const there = Object.entries(ways).map(([name, way]) => ({
    name,
    way,
    costs: [] as number[],
    again: [] as number[],
  }))
  for (let turn = -Math.ceil(rounds / 4); turn < rounds; turn++) {
    for (const { way, costs } of there) {
      const nanos = await slice(way)
      if (turn >= 0) costs.push(nanos)
    }
    for (const { way, again } of there.toReversed()) {
      const nanos = await slice(way)
      if (turn >= 0) again.push(nanos)
    }
  }
  return Object.fromEntries(
    there.map(({ name, way: { what, most }, costs, again }) => [
      name,
      againstItself(what, 'ns', costs, again, most === undefined ? {} : { most }),
    ]),
  )
}

const PART = {
  title: 'What does it cost to know the phase?',
  how: `CPU time of one lookup, in batches of ${BATCH.toLocaleString('en')}: four migrations in turn, and the same over a \`Map\` and over a constant. Both
LaunchDarkly SDKs have read the flag from a service on loopback and answer from their own memory, and OpenFeature from its
provider in memory; their evaluations are promises, and are awaited one after the other. All of them take their turn in one
run, there and back again; the second time is what each is told against itself. The scale of the picture is logarithmic.`,
  picture: { kind: 'bars', title: 'One lookup of the phase or the flag', unit: 'ns', scale: 'log' },
  notes: [
    'The loop alone is part of every figure.',
    'No flag is evaluated for a query: the SDKs are here for what that would cost.',
    '`AsyncLocalStorage` is measured last, since its first `run` makes every promise of a process dearer.',
  ],
} as const satisfies Omit<Part, 'outcomes'>

export async function lookup(quick: boolean) {
  const flags = await startFlagClients(FLAG, VALUE)
  const cutovers = await Promise.all(IN_TURN.map(movedTo))
  try {
    console.error('in memory')
    const fields = await inTurn(inMemory(cutovers), quick ? 10 : 100)
    console.error('evaluations')
    const evaluations = await inTurn(await evaluated(flags), quick ? 5 : 40)
    console.error('AsyncLocalStorage')
    const stored = await inTurn(inAsyncLocalStorage(), quick ? 10 : 100)
    const all = { ...fields, ...stored, ...evaluations }
    const figures = Object.entries(all).map(([name, { measured }]) => [`${name}Nanos`, measured] as const)
    return {
      parts: [printPart({ ...PART, outcomes: Object.values(all) })],
      ...Object.fromEntries(figures),
    }
  } finally {
    await Promise.allSettled([
      ...cutovers.map((cutover) => cutover.end()),
      OpenFeature.close(),
      flags.close(),
    ])
  }
}
