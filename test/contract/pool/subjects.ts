// The pools that the contract is run on, each by name, and how one of them is made.
import pg from 'pg'
import { CutoverEvents } from '../../../src/events.js'
import { createCutover, memorySource } from '../../../src/index.js'
import { cutoverPool } from '../../../src/pool/cutover-pool.js'
import { innerPool } from '../../../src/pool/pg-internals.js'
import { PoolCore } from '../../../src/pool/pool-core.js'
import { KnownTexts } from '../../../src/reads/known-texts.js'
import type { PoolFactory } from './fixture.js'

/** Makes pools on a config of the old side; `newUrl` is where they must never send anything. */
type MakeFactory = (newUrl: string) => PoolFactory

const NAME = 'contract'

const plain: MakeFactory = () => (config) => {
  const pool = new pg.Pool(config)
  return Promise.resolve({ pool, dispose: () => endOnce(pool) })
}

const direct: MakeFactory = (newUrl) => async (config) => {
  const cutover = createCutover({
    name: NAME,
    old: config,
    new: configOfNew(config, newUrl),
    source: memorySource('old'),
    control: false,
    mirror: 'none',
  })
  await cutover.ready()
  return { pool: cutover.pool, dispose: () => cutover.end() }
}

const handedIn: MakeFactory = (newUrl) => async (config) => {
  const cutover = createCutover({
    name: NAME,
    old: new pg.Pool(config),
    new: new pg.Pool(configOfNew(config, newUrl)),
    source: memorySource('old'),
    control: false,
    mirror: 'none',
  })
  await cutover.ready()
  // The pools are the caller's: only the end of the pool itself ends them.
  return { pool: cutover.pool, dispose: () => endOnce(cutover.pool).then(() => cutover.end()) }
}

/** A core whose new side is where the contract's own database is, when `flipped`. */
async function coreOver(config: pg.PoolConfig, newUrl: string, flipped: boolean): Promise<PoolCore> {
  await texts.load()
  const made = (own: pg.PoolConfig) => ({ inner: innerPool(new pg.Pool(own)), handedIn: false })
  const [own, other] = [made(config), made(configOfNew(config, newUrl))]
  const core = new PoolCore({
    name: NAME,
    pools: flipped ? { old: other, new: own } : { old: own, new: other },
    events: new CutoverEvents(),
    texts,
    // Connections that were opened for later would show in the counts and to the hooks, as they should.
    heldReadsMax: 0,
    onFence: () => undefined,
  })
  core.pools.new.warm = () => Promise.resolve()
  core.release('old')
  return core
}

/** Stays in the route that is otherwise passed through within a cutover. */
const armed: MakeFactory = (newUrl) => async (config) => {
  const core = await coreOver(config, newUrl, false)
  await core.arm()
  expectState(core, 'armed')
  return { pool: cutoverPool(core), dispose: () => core.end(true) }
}

/** Went through a whole local cutover: nothing of it may be left. */
const flipped: MakeFactory = (newUrl) => async (config) => {
  const core = await coreOver(config, newUrl, true)
  const pool = cutoverPool(core)
  await core.arm()
  core.hold({ millis: 5_000, reads: 'flow', ended: () => Promise.resolve('old') })
  await core.drain(1_000)
  core.release('new')
  await core.sweep('old')
  expectState(core, 'direct')
  return { pool, dispose: () => core.end(true) }
}

function expectState(core: PoolCore, kind: PoolCore['state']['kind']): void {
  if (core.state.kind !== kind) throw new Error(`the route is ${core.state.kind}, not ${kind}`)
}

const texts = new KnownTexts()

const factories = {
  'pg.Pool': plain,
  'CutoverPool in the direct route': direct,
  'CutoverPool in the armed route': armed,
  'CutoverPool over pools handed in': handedIn,
  'CutoverPool after a flip': flipped,
} as const satisfies Record<string, MakeFactory>

export type Subject = keyof typeof factories
export const subjects = Object.keys(factories).filter(isSubject)

export function isSubject(name: string): name is Subject {
  return name in factories
}

export function factoryOf(subject: Subject, newUrl: string): PoolFactory {
  return factories[subject](newUrl)
}

function endOnce(pool: pg.Pool): Promise<void> {
  return pool.ending ? Promise.resolve() : pool.end()
}

function configOfNew(config: pg.PoolConfig, newUrl: string): pg.PoolConfig {
  const url = new URL(newUrl)
  const { connectionString: _old, ...rest } = config
  return {
    ...rest,
    host: url.hostname,
    port: Number(url.port),
    user: decodeURIComponent(url.username),
    password: decodeURIComponent(url.password),
    database: url.pathname.slice(1),
  }
}
