// One call a tick is timed for the source, in its own route; the calls around it meet the plain one.
import { once } from 'node:events'
import pg from 'pg'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { stubConfig } from '../../bench/stub-client.js'
import { sampleTraffic } from '../../src/cutover/sampling.js'
import { CutoverEvents } from '../../src/events.js'
import { createCutover, memorySource, type SampledCall, type Sampler } from '../../src/index.js'
import { cutoverPool } from '../../src/pool/cutover-pool.js'
import { innerPool } from '../../src/pool/pg-internals.js'
import { PoolCore } from '../../src/pool/pool-core.js'
import { KnownTexts } from '../../src/reads/known-texts.js'

const TICK = 1_000 / 4

// The stub's clients answer in the next turn of the real loop.
beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }))
afterEach(async () => {
  vi.useRealTimers()
  await Promise.all(cores.splice(0).map((core) => core.end(true)))
})

const cores: PoolCore[] = []

const tick = (): void => void vi.advanceTimersByTime(TICK)

/** Pools whose `query` answers by its text: a command to succeed with, or `fail …`. */
class ScriptedPool extends pg.Pool {
  readonly answers: unknown[] = []
  override query(...args: unknown[]): never {
    const [text] = args
    const error = String(text).startsWith('select fail') ? new Error('it failed') : undefined
    const result = error ? undefined : { command: String(text).split(' ')[0]?.toUpperCase(), rows: [] }
    this.answers.push(error ?? result)
    const callback = args.find((one) => typeof one === 'function')
    if (callback)
      queueMicrotask(() => Reflect.apply(callback, undefined, error ? [error] : [undefined, result]))
    const promise = error ? Promise.reject(error) : Promise.resolve(result)
    return (callback ? void promise.catch(() => {}) : promise) as never
  }
}

function sampled({ active = true, take = (): void => {} } = {}) {
  const taken: SampledCall[] = []
  const sampler = {
    perSecond: 4,
    active,
    take(call: SampledCall) {
      taken.push(call)
      take()
    },
  } satisfies Sampler
  const events = new CutoverEvents()
  const inner = { old: new ScriptedPool(stubConfig(2)), new: new ScriptedPool(stubConfig(2)) }
  const core = new PoolCore({
    name: 'orders',
    pools: {
      old: { inner: innerPool(inner.old), handedIn: false },
      new: { inner: innerPool(inner.new), handedIn: false },
    },
    events,
    texts: new KnownTexts(),
    onFence: undefined,
  })
  cores.push(core)
  core.release('old')
  const pool = cutoverPool(core)
  const warnings: string[] = []
  events.on('warning', ({ code }) => warnings.push(code))
  const stop = sampleTraffic(core, sampler, { name: 'orders', source: memorySource(), events })
  const routeIsPlain = (): boolean => (pool as unknown as { route: unknown }).route === core.route
  return { core, pool, inner, sampler, taken, warnings, stop, routeIsPlain }
}

describe('the call after a tick', () => {
  it('is timed, and it alone', async () => {
    const { pool, taken, routeIsPlain } = sampled()
    await pool.query('select 0')
    expect(taken).toEqual([])
    tick()
    expect(routeIsPlain()).toBe(false)
    const calls = [1, 2, 3].map((nr) => pool.query(`insert ${nr}`))
    expect(routeIsPlain()).toBe(true)
    await Promise.all(calls)
    expect(taken).toEqual([{ operation: 'write', side: 'old', millis: expect.any(Number), failed: false }])
    expect(taken[0]?.millis).toBeGreaterThanOrEqual(0)
    tick()
    tick()
    await Promise.all([pool.query('select 4'), pool.query('select 5')])
    expect(taken.map(({ operation }) => operation)).toEqual(['write', 'read'])
  })

  it('gets the very result of the inner pool, and its very error', async () => {
    const { pool, inner, taken } = sampled()
    tick()
    const result = await pool.query('select 1')
    tick()
    const reason: unknown = await pool.query('select fail').catch((error: unknown) => error)
    expect(inner.old.answers[0]).toBe(result)
    expect(inner.old.answers[1]).toBe(reason)
    expect(taken.map(({ failed }) => failed)).toEqual([false, true])
  })

  it.each([
    ['as the second argument', (pool: pg.Pool, done: () => void) => pool.query('select 1', done)],
    ['as the third argument', (pool: pg.Pool, done: () => void) => pool.query('select 1', [], done)],
  ])('calls its callback as before: %s', async (_, ask) => {
    const { pool, inner, taken } = sampled()
    tick()
    const args = await new Promise<unknown[]>((resolve) => {
      expect(ask(pool, (...given: unknown[]) => resolve(given))).toBeUndefined()
    })
    expect(args).toHaveLength(2)
    expect(args[1]).toBe(inner.old.answers[0])
    expect(taken).toHaveLength(1)
  })

  it('calls its callback with the error alone', async () => {
    const { pool, inner, taken } = sampled()
    tick()
    const args = await new Promise<unknown[]>((resolve) => {
      pool.query('select fail', (...given: unknown[]) => resolve(given))
    })
    expect(args).toEqual([inner.old.answers[0]])
    expect(taken).toMatchObject([{ operation: 'read', failed: true }])
  })

  it('is seen as unhandled if nobody handles its failure', async () => {
    const { pool, inner } = sampled()
    const listeners = process.listeners('unhandledRejection')
    process.removeAllListeners('unhandledRejection')
    try {
      const unhandled = once(process, 'unhandledRejection')
      tick()
      void pool.query('select fail')
      expect((await unhandled)[0]).toBe(inner.old.answers[0])
    } finally {
      for (const listener of listeners) process.on('unhandledRejection', listener)
    }
  })

  it.each([
    ['a cursor', (pool: pg.Pool) => pool.query({ submit: () => {} } as unknown as string)],
    ['a mistake', (pool: pg.Pool) => pool.query((() => {}) as unknown as string)],
    ['a checkout', (pool: pg.Pool) => pool.connect().then((client) => client.release())],
  ])('is left to the next one by %s', async (_, ask) => {
    const { pool, taken, routeIsPlain } = sampled()
    tick()
    await ask(pool)
    expect([taken.length, routeIsPlain()]).toEqual([0, false])
    await pool.query('select 1')
    expect([taken.length, routeIsPlain()]).toEqual([1, true])
  })

  it('is no sample if it is neither read nor write', async () => {
    const { pool, taken } = sampled()
    tick()
    await pool.query('begin')
    await pool.query('select 1')
    expect(taken).toEqual([])
  })
})

describe('a change of the route wins', () => {
  const lease = { millis: 60_000, reads: 'flow' as const, ended: () => Promise.resolve('old' as const) }

  it('over a sample that waits for its call', async () => {
    const { core, pool, taken, routeIsPlain } = sampled()
    tick()
    core.hold(lease)
    const held = pool.query('select 1')
    expect(core.line.length).toBe(1)
    tick()
    expect(routeIsPlain()).toBe(true)
    const alsoHeld = pool.query('select 2')
    expect(core.line.length).toBe(2)
    core.release('new')
    await Promise.all([held, alsoHeld])
    expect(core.state.kind).toBe('direct')
    await pool.query('select 3')
    expect(taken).toEqual([])
    tick()
    await pool.query('select 4')
    expect(taken).toMatchObject([{ side: 'new' }])
  })

  it('over one that was put in before a hold that ended again', async () => {
    const { core, pool, taken, routeIsPlain } = sampled()
    tick()
    core.hold(lease)
    core.release('old')
    expect(core.state.kind).toBe('direct')
    expect(routeIsPlain()).toBe(true)
    await pool.query('select 1')
    expect(taken).toEqual([])
  })

  it('and a call that was begun at rest is timed to its end', async () => {
    const { core, pool, taken } = sampled()
    tick()
    const begun = pool.query('select 1')
    core.hold(lease)
    await begun
    expect(taken).toHaveLength(1)
    expect(core.state.kind).toBe('held')
  })
})

describe('a sampler', () => {
  it('that throws is warned of once and asked no more', async () => {
    const { pool, taken, warnings, routeIsPlain } = sampled({
      take: () => {
        throw new Error('full')
      },
    })
    for (let nr = 0; nr < 3; nr++) {
      tick()
      expect(await pool.query('select 1')).toMatchObject({ command: 'SELECT' })
    }
    expect([taken.length, warnings, routeIsPlain()]).toEqual([1, ['SAMPLER'], true])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('that is not active gets nothing, and a sample that waits is taken back', async () => {
    const { pool, sampler, taken, routeIsPlain } = sampled({ active: false })
    tick()
    expect(routeIsPlain()).toBe(true)
    sampler.active = true
    tick()
    expect(routeIsPlain()).toBe(false)
    sampler.active = false
    tick()
    expect(routeIsPlain()).toBe(true)
    await pool.query('select 1')
    expect(taken).toEqual([])
  })

  it('gets nothing after the end, of calls under way neither', async () => {
    const { pool, taken, stop, routeIsPlain } = sampled()
    tick()
    const begun = pool.query('select 1')
    tick()
    stop()
    await begun
    expect([taken.length, routeIsPlain(), vi.getTimerCount()]).toEqual([0, true, 0])
  })

  it('stops with the pool', async () => {
    const { pool } = sampled()
    await pool.end()
    tick()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('begins and ends with its migration', async () => {
    const sampler = { perSecond: 4, active: true, take: () => {} }
    const source = Object.assign(memorySource('old'), { sampler })
    const cutover = createCutover({ name: 'orders', old: stubConfig(1), new: stubConfig(1), source })
    await cutover.ready()
    expect(vi.getTimerCount()).toBe(1)
    await cutover.end()
    expect(vi.getTimerCount()).toBe(0)
  })

  it.each([0, -1, 1_001, Number.NaN, '4'])('is refused with a rate of %s', (perSecond) => {
    const sampler = { perSecond: perSecond as number, active: true, take: () => {} }
    const source = Object.assign(memorySource('old'), { sampler })
    const old = new pg.Pool(stubConfig(1))
    const make = (): unknown => createCutover({ name: 'orders', old, new: stubConfig(1), source })
    expect(make).toThrow(/perSecond .*expected a number above 0 and up to 1,000/)
    // The pool is free for another try.
    expect(make).not.toThrow(/already belongs/)
  })
})
