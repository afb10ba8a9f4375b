// Several pools over one gate: each has an end and listeners of its own, and the last one that is ended closes the connections.
import type pg from 'pg'
import { describe, expect, it } from 'vitest'
import { createCutover, memorySource, type Cutover } from '../../../src/index.js'
import { cutoverPool } from '../../../src/pool/cutover-pool.js'
import { countResources, leaksSince } from '../../support/leak-check.js'
import { flip, lease, reasonOf, sideOf, sides, stateOf, turn } from './fixture.js'

const { drive, terminate, urls } = await sides()

const ENDED = 'Cannot use a pool after calling end on the pool'
const TWICE = 'Called end on pool more than once'
const EVENTS = ['connect', 'acquire', 'release', 'remove'] as const

async function migration(): Promise<Cutover> {
  const cutover = createCutover({
    name: 'orders',
    old: { connectionString: urls.old },
    new: { connectionString: urls.new },
    source: memorySource('old'),
  })
  await cutover.ready()
  return cutover
}

const processIdOf = (client: unknown): number => (client as { processID: number }).processID

/** Leaves one idle connection behind and gives its backend. */
async function idleBackend(pool: pg.Pool): Promise<number> {
  const client = await pool.connect()
  client.release()
  return processIdOf(client)
}

describe('the end of one pool', () => {
  it.each(['pool', 'view'])('is its own, and no matter of the others: %s', async (which) => {
    const before = countResources()
    const cutover = await migration()
    const view = cutover.createPool()
    const [ends, stays] = which === 'view' ? [view, cutover.pool] : [cutover.pool, view]
    expect([await sideOf(ends), await sideOf(stays)]).toEqual(['old', 'old'])
    await ends.end()
    expect([ends.ending, ends.ended, stays.ending, stays.ended]).toEqual([true, true, false, false])
    expect((await reasonOf(ends.query('select 1'))).message).toBe(ENDED)
    expect((await reasonOf(ends.connect())).message).toBe(ENDED)
    expect((await reasonOf(ends.end())).message).toBe(TWICE)
    // Its connection is still there.
    expect(stays.totalCount).toBe(1)
    await cutover.advance('new')
    expect(await sideOf(stays)).toBe('new')
    expect((await reasonOf(ends.query('select 1'))).message).toBe(ENDED)
    const later = cutover.createPool()
    expect(await sideOf(later)).toBe('new')
    await Promise.all([stays.end(), later.end()])
    // Nothing is left although the migration itself was never ended.
    expect(await leaksSince({ ...before, Timeout: Infinity }, 2_000)).toEqual([])
    await cutover.end()
  })

  it('does not wait for clients that others have out, and the last one does', async () => {
    const { core, pool } = drive()
    const view = cutoverPool(core)
    const [own, other] = await Promise.all([view.connect(), pool.connect()])
    await view.end()
    // It goes on working, as a client of a pool that is ending does.
    expect(await sideOf(own)).toBe('old')
    const ended = pool.end()
    own.release()
    expect(await stateOf(ended)).toBe('pending')
    other.release()
    await ended
    expect(core.state.kind).toBe('ended')
  })

  it('lets what it has asked for and what others have asked for be answered after a hold', async () => {
    const { core, pool } = drive()
    const view = cutoverPool(core)
    core.hold(lease())
    const waiting = [sideOf(view), sideOf(pool)]
    await view.end()
    core.release('new')
    expect(await Promise.all(waiting)).toEqual(['new', 'new'])
  })

  it('is given to a callback, also when it comes twice', async () => {
    const { core } = drive()
    const view = cutoverPool(core)
    const end = view.end.bind(view) as (callback: (error?: Error) => void) => void
    const ends = [1, 2].map(() => new Promise<Error | undefined>((resolve) => end(resolve)))
    expect((await Promise.all(ends)).map((error) => error?.message)).toEqual([undefined, TWICE])
  })

  it('may come in any order and at once with that of the migration', async () => {
    const cutover = await migration()
    const views = [cutover.createPool(), cutover.createPool()]
    await sideOf(cutover.pool)
    await Promise.all([views[0]?.end(), cutover.end(), views[1]?.end()])
    await cutover.pool.end()
    expect(() => cutover.createPool()).toThrow(expect.objectContaining({ code: 'ERR_ENDED' }) as Error)
  })

  it('of the last of them ends the migration for new ones', async () => {
    const cutover = await migration()
    const view = cutover.createPool()
    await cutover.pool.end()
    await view.end()
    expect(() => cutover.createPool()).toThrow(expect.objectContaining({ code: 'ERR_ENDED' }) as Error)
    await cutover.end()
  })
})

describe('a pool that is made', () => {
  it('takes no options, which would be without effect', async () => {
    const cutover = await migration()
    const loose = cutover as { createPool(options?: object): unknown }
    expect(() => loose.createPool({ max: 5, password: 'the-secret' })).toThrow(
      expect.objectContaining({
        code: 'ERR_OPTION',
        message: expect.stringMatching(/^createPool: got an argument of type object; expected none/),
      }) as Error,
    )
    loose.createPool(undefined)
    await cutover.end()
  })

  it.each(['unknown', 'armed', 'held'])('while the route is %s begins in it', async (kind) => {
    const { core } = drive({}, { unknown: kind === 'unknown' })
    if (kind === 'armed') await core.arm()
    if (kind === 'held') core.hold(lease())
    const asked = sideOf(cutoverPool(core))
    if (kind === 'armed') {
      expect(await asked).toBe('old')
      return
    }
    expect(await stateOf(asked)).toBe('pending')
    core.release('new')
    expect(await asked).toBe('new')
  })
})

describe('events', () => {
  const heard = (pool: pg.Pool): string[] => {
    const names: string[] = []
    for (const name of EVENTS) pool.on(name as 'connect', () => void names.push(name))
    return names
  }

  it('come once to each pool that listens, whoever asked', async () => {
    const { core, pool } = drive()
    const view = cutoverPool(core)
    const [first, second] = [heard(pool), heard(view)]
    const client = await view.connect()
    client.release(true)
    await turn()
    expect(first).toEqual(expect.arrayContaining(['connect', 'acquire', 'release']))
    expect(second).toEqual(first)
  })

  it('are listened to on as many pools as there are, without a warning', async () => {
    const warnings: unknown[] = []
    const hear = (warning: Error): void => void warnings.push(warning.message)
    process.on('warning', hear)
    const cutover = await migration()
    for (let count = 0; count < 20; count++) cutover.createPool().on('connect', () => {})
    // A warning is told in a turn of its own.
    await cutover.pool.query('select 1')
    process.off('warning', hear)
    expect(warnings).toEqual([])
    await cutover.end()
  })

  it('come to a pool that was ended no longer, and nothing of it stays at the inner pools', async () => {
    const { core, pool, inner } = drive()
    const listeners = (): number[] =>
      Object.values(inner).flatMap((one) => EVENTS.map((name) => one.listenerCount(name as 'connect')))
    const before = listeners()
    const view = cutoverPool(core)
    const names = heard(view)
    await view.end()
    await sideOf(pool)
    expect(names).toEqual([])
    expect(listeners()).toEqual(before)
    view.on('acquire', () => {})
    expect(listeners()).toEqual(before)
  })

  it('of idle clients that fail come to each pool with a listener, and those without are no trouble', async () => {
    const { core, pool } = drive()
    const [view, silent] = [cutoverPool(core), cutoverPool(core)]
    const failures = [pool, view].map(
      (one) => new Promise<Error>((resolve) => one.once('error', (error) => resolve(error))),
    )
    const backend = await idleBackend(silent)
    await terminate('old', backend)
    for (const failure of failures) expect(await failure).toMatchObject({ code: '57P01' })
    expect(await sideOf(silent)).toBe('old')
  })

  it('of an idle client that fails end the process, as with pg, where no pool has a listener', async () => {
    const { core, pool } = drive()
    cutoverPool(core)
    const thrown = new Promise<Error>((resolve) => {
      process.setUncaughtExceptionCaptureCallback(resolve)
    })
    try {
      await terminate('old', await idleBackend(pool))
      expect(await thrown).toMatchObject({ code: '57P01' })
    } finally {
      process.setUncaughtExceptionCaptureCallback(null)
    }
  })

  it('are those of the side in use after a flip, in each of them', async () => {
    const { core, pool } = drive()
    const view = cutoverPool(core)
    await sideOf(pool)
    await flip(core, 'new')
    const failure = new Promise<Error>((resolve) => view.once('error', (error) => resolve(error)))
    pool.on('error', () => {})
    await terminate('new', await idleBackend(view))
    expect(await failure).toMatchObject({ code: '57P01' })
  })
})
