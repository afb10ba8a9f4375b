// Direct mode through createCutover: the source flips, holds and falls silent, and what fails is tried again for as long as it is wished.
import pg from 'pg'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { DirectMode } from '../../../src/cutover/direct-mode.js'
import type { StepEvent } from '../../../src/events.js'
import { memorySource, type Cutover } from '../../../src/index.js'
import type { Source, SourceReport } from '../../../src/phase/source.js'
import { readOptions } from '../../../src/cutover/read-options.js'
import { startProxy } from '../../support/proxy.js'
import {
  eventWhere,
  lease,
  NAME,
  reasonOf,
  sideOf,
  sides,
  stateOf,
  turn,
  WRITE,
  type Driven,
} from './fixture.js'

const { drive, keys, migrate, urls, until } = await sides()

afterEach(() => {
  vi.useRealTimers()
})

const phase = (cutover: Cutover, to: string): Promise<unknown> =>
  eventWhere(cutover, 'phase', (event) => event.to === to)
const wish = (cutover: Cutover, value: string, outcome: string): Promise<{ reason: string }> =>
  eventWhere(cutover, 'wish', (event) => event.value === `"${value}"` && event.outcome === outcome)

describe('a wish of the source', () => {
  it('moves this process, and back', async () => {
    const source = memorySource('old')
    const cutover = migrate({ source })
    await cutover.ready()
    expect([cutover.phase, await sideOf(cutover.pool)]).toEqual(['old', 'old'])
    source.set('live')
    await phase(cutover, 'live')
    expect(await sideOf(cutover.pool)).toBe('new')
    source.set('shadow')
    await phase(cutover, 'shadow')
    expect(await sideOf(cutover.pool)).toBe('old')
    expect(cutover.status()).toMatchObject({
      mode: 'direct',
      phase: 'shadow',
      epoch: 2,
      side: 'old',
      route: 'direct',
    })
  })

  it('that does not change the writer changes the phase alone', async () => {
    const source = memorySource('old')
    const cutover = migrate({ source })
    await cutover.ready()
    const routes: string[] = []
    cutover.on('route', ({ route }) => routes.push(route))
    source.set('shadow')
    await phase(cutover, 'shadow')
    expect([routes, cutover.status().epoch]).toEqual([[], 0])
  })

  it('is shown step by step, with a warning that no fence stands', async () => {
    const source = memorySource('old')
    const cutover = migrate({ source })
    await cutover.ready()
    const steps: StepEvent[] = []
    cutover.on('step', (event) => steps.push(event))
    const warned = eventWhere(cutover, 'warning', ({ code }) => code === 'NO_FENCE')
    const done = eventWhere(cutover, 'cutover', () => true)
    source.set('new')
    expect(await done).toMatchObject({
      name: 'orders',
      epoch: 1,
      direction: 'old→new',
      outcome: 'done',
      steps: {
        prepare: expect.any(Number) as number,
        hold: expect.any(Number) as number,
        drain: expect.any(Number) as number,
      },
    })
    expect((await warned).message).toContain('`control`')
    expect(steps.map(({ step, state }) => `${step} ${state}`)).toEqual(
      ['prepare', 'hold', 'drain'].flatMap((step) => [`${step} started`, `${step} done`]),
    )
  })

  it('holds, and a phase after it lets go', async () => {
    const source = memorySource('old')
    const cutover = migrate({ source, heldReadsMax: 0 })
    await cutover.ready()
    source.set('hold')
    await wish(cutover, 'hold', 'followed')
    const held = sideOf(cutover.pool)
    expect(await stateOf(held)).toBe('pending')
    expect(cutover.status()).toMatchObject({ route: 'held', waiting: 1, phase: 'old' })
    expect(cutover.status().heldMillis).toBeGreaterThan(0)
    source.set('old')
    expect(await held).toBe('old')
    source.set('hold')
    await wish(cutover, 'hold', 'followed')
    const next = sideOf(cutover.pool)
    source.set('new')
    expect(await next).toBe('new')
  })

  it('holds no longer than the lease', async () => {
    const source = memorySource('old')
    const cutover = migrate({ source, holdTimeoutMillis: 50, heldReadsMax: 0 })
    await cutover.ready()
    source.set('hold')
    await wish(cutover, 'hold', 'followed')
    const began = performance.now()
    expect(await sideOf(cutover.pool)).toBe('old')
    expect(performance.now() - began).toBeGreaterThan(30)
    expect(cutover.status().route).toBe('direct')
  })

  it('that fails at the drain is tried again until it is done, and its reason is shown meanwhile', async () => {
    const source = memorySource('old')
    const cutover = migrate({ source, drainTimeoutMillis: 40 })
    await cutover.ready()
    const client = await cutover.pool.connect()
    await client.query('begin')
    const aborted = eventWhere(cutover, 'cutover', ({ outcome }) => outcome === 'aborted')
    const ignored = wish(cutover, 'new', 'ignored')
    source.set('new')
    expect((await aborted).reason).toMatch(/^1 clients of this process were still at work on the old side/)
    expect((await ignored).reason).toMatch(/it is tried again$/)
    expect(cutover.status()).toMatchObject({ phase: 'old', side: 'old' })
    expect(cutover.status().source.whyNot).toMatch(/still at work/)
    // Traffic goes on.
    await cutover.pool.query(WRITE, ['meanwhile'])
    expect(await keys('old')).toEqual(['meanwhile'])
    await client.query('commit')
    client.release()
    await phase(cutover, 'new')
    await wish(cutover, 'new', 'followed')
    expect([await sideOf(cutover.pool), cutover.status().source.whyNot]).toEqual(['new', undefined])
  })

  it('that failed is not tried again once something else is wished', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const source = memorySource('old')
    const cutover = migrate({ source, drainTimeoutMillis: 40 })
    await cutover.ready()
    const client = await cutover.pool.connect()
    const failed = wish(cutover, 'new', 'ignored')
    source.set('new')
    const seen: string[] = []
    cutover.on('cutover', ({ outcome }) => seen.push(outcome))
    const naming = setInterval(() => vi.advanceTimersByTime(10), 1)
    await failed
    clearInterval(naming)
    // The second try is under way when the wish changes.
    const again = eventWhere(cutover, 'step', ({ step, state }) => step === 'drain' && state === 'started')
    await vi.advanceTimersByTimeAsync(1_000)
    await again
    source.set('shadow')
    const done = phase(cutover, 'shadow')
    const more = setInterval(() => vi.advanceTimersByTime(10), 1)
    await done
    clearInterval(more)
    client.release()
    await vi.advanceTimersByTimeAsync(60_000)
    expect([cutover.phase, seen]).toEqual(['shadow', ['aborted', 'aborted']])
  })

  it('to a side that cannot be reached changes nothing, and is followed when it can be', async () => {
    const proxy = await startProxy(Number(new URL(urls.new).port))
    await proxy.refuse()
    const source = memorySource('old')
    const cutover = migrate({ source, new: { connectionString: proxy.url(urls.new) } })
    await cutover.ready()
    const failed = wish(cutover, 'new', 'ignored')
    source.set('new')
    expect((await failed).reason).toContain('ECONNREFUSED')
    expect(await sideOf(cutover.pool)).toBe('old')
    await proxy.resume()
    await phase(cutover, 'new')
    expect(await sideOf(cutover.pool)).toBe('new')
    await proxy.close()
  })

  it('to a side that does not answer is given up after prepareTimeoutMillis, without a hold', async () => {
    const proxy = await startProxy(Number(new URL(urls.new).port))
    proxy.stall()
    const cutover = migrate({ new: { connectionString: proxy.url(urls.new) }, prepareTimeoutMillis: 500 })
    await cutover.ready()
    const routes: string[] = []
    cutover.on('route', ({ route }) => routes.push(route))
    await expect(cutover.advance('new')).rejects.toMatchObject({ code: 'ERR_PREPARE' })
    expect([routes, await sideOf(cutover.pool)]).toEqual([['armed', 'releasing', 'direct'], 'old'])
    await proxy.resume()
    await cutover.advance('new')
    expect(await sideOf(cutover.pool)).toBe('new')
    await proxy.close()
  })
})

describe('advance()', () => {
  it('resolves with the event of the cutover, and with nothing where the writer stays', async () => {
    const cutover = migrate()
    await cutover.ready()
    expect(await cutover.advance('shadow')).toBeUndefined()
    expect(await cutover.advance('live')).toMatchObject({ outcome: 'done', direction: 'old→new', epoch: 1 })
    expect(await cutover.rollback()).toMatchObject({ outcome: 'done', direction: 'new→old', epoch: 2 })
    expect(cutover.phase).toBe('shadow')
    await expect(cutover.rollback()).rejects.toMatchObject({ code: 'ERR_PHASE_ILLEGAL' })
  })

  it('rejects with the reason at the drain, names the lease, and everything is as before', async () => {
    const cutover = migrate({
      drainTimeoutMillis: 30,
      old: { connectionString: urls.old, application_name: 'shop' },
    })
    await cutover.ready()
    const client = await cutover.pool.connect()
    await client.query('begin')
    const reason = await reasonOf(cutover.advance('new'))
    expect(reason).toMatchObject({ code: 'ERR_DRAIN_TIMEOUT' })
    expect(reason.message).toContain('"shop"')
    expect([cutover.phase, await sideOf(cutover.pool), await sideOf(client)]).toEqual(['old', 'old', 'old'])
    await client.query('commit')
    client.release()
    await cutover.advance('new')
  })

  it('is refused while another change runs', async () => {
    const cutover = migrate()
    await cutover.ready()
    const first = cutover.advance('new')
    await expect(cutover.advance('old')).rejects.toMatchObject({ code: 'ERR_BUSY' })
    await first
  })

  it('waits for the server where a client gave a statement up', async () => {
    const cutover = migrate({ old: { connectionString: urls.old, query_timeout: 30 } })
    await cutover.ready()
    const given = reasonOf(cutover.pool.query(`insert into entry (key) select 'slow' from pg_sleep(0.2)`))
    expect((await given).message).toBe('Query read timeout')
    await cutover.advance('new')
    // What the old side has now is all it will ever have.
    expect(await keys('old')).toEqual(['slow'])
  })

  it('closes the connections of the side that was left', async () => {
    const cutover = migrate({ old: { connectionString: urls.old, application_name: 'left behind' } })
    await cutover.ready()
    await sideOf(cutover.pool)
    await cutover.advance('new')
    await until('old', `not exists (select from pg_stat_activity where application_name = 'left behind')`)
    expect(cutover.pool.totalCount).toBe(1)
  })

  it.each([
    ['let go', () => {}],
    ['let go and held again', (core: Driven['core']) => core.hold(lease())],
  ])('does not flip what was %s while the server was asked', async (_, then) => {
    const { core, pool, events } = drive({ query_timeout: 30 })
    const options = readOptions({ name: NAME, old: { max: 1 }, new: { max: 1 }, source: memorySource() })
    const mode = new DirectMode(core, events, options, () => {})
    await mode.change('old')
    expect((await reasonOf(pool.query('select pg_sleep(0.3)'))).message).toBe('Query read timeout')
    const shut = (): boolean => core.state.kind === 'held' && core.state.shut
    const changed = reasonOf(mode.change('new'))
    while (!shut()) await turn()
    core.release('old')
    then(core)
    expect(await changed).toMatchObject({ code: 'ERR_HOLD_TIMEOUT' })
    expect([mode.phase, core.side]).toEqual(['old', 'old'])
    await mode.close()
  })
})

describe('while no phase is known', () => {
  /** Says what it is told to, and only then. */
  function silentSource(): Source & { report: (report: SourceReport) => void } {
    const source = {
      name: 'silent',
      report: (() => {}) as (report: SourceReport) => void,
      watch: (report: (report: SourceReport) => void) => void (source.report = report),
      close: () => {},
    }
    return source
  }

  it('calls wait for it, in every form', async () => {
    const source = memorySource()
    const { pool } = migrate({ source })
    const waiting = [pool.query(WRITE, ['1']), pool.connect(), pool.query(WRITE, ['2'])] as const
    expect(await Promise.all(waiting.map(stateOf))).toEqual(['pending', 'pending', 'pending'])
    source.set('new')
    ;(await waiting[1]).release()
    await Promise.all(waiting)
    expect((await keys('new')).toSorted()).toEqual(['1', '2'])
  })

  it('the wait for it is not taken out of connectionTimeoutMillis', async () => {
    const source = memorySource()
    const slow = { max: 1, connectionTimeoutMillis: 300 }
    const { pool } = migrate({
      source,
      old: { connectionString: urls.old, ...slow },
      new: { connectionString: urls.new, ...slow },
    })
    const waiting = Promise.all([pool.query('select pg_sleep(0.05)'), pool.query(WRITE, ['behind'])])
    await new Promise((resolve) => {
      setTimeout(resolve, 320)
    })
    source.set('old')
    await waiting
  })

  it('they are refused after ready() has given up, and served once the source speaks', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const source = silentSource()
    const cutover = migrate({ source })
    const waiting = reasonOf(cutover.pool.query('select 1'))
    const ready = reasonOf(cutover.ready())
    await vi.advanceTimersByTimeAsync(6_000)
    expect(await ready).toMatchObject({ code: 'ERR_PHASE_UNKNOWN' })
    expect(await waiting).toMatchObject({ code: 'ERR_PHASE_UNKNOWN' })
    vi.useRealTimers()
    expect(cutover.status()).toMatchObject({ route: 'refusing', phase: undefined })
    expect(await reasonOf(cutover.pool.connect())).toMatchObject({ code: 'ERR_PHASE_UNKNOWN' })
    const refused = new Promise((resolve) => {
      cutover.pool.query('select 1', [], resolve)
    })
    expect(await refused).toMatchObject({ code: 'ERR_PHASE_UNKNOWN' })
    source.report({ kind: 'value', value: 'rampdown' })
    await phase(cutover, 'rampdown')
    expect(await sideOf(cutover.pool)).toBe('new')
  })

  it.each([
    ['sideways', 'wait on', 'pending'],
    ['hold', 'are refused, since the source has nothing better to say', 'rejected'],
  ])('"%s" is no phase to begin with: calls %s', async (value, _, state) => {
    const source = silentSource()
    const cutover = migrate({ source })
    const waiting = cutover.pool.query('select 1')
    const refused = wish(cutover, value, 'refused')
    source.report({ kind: 'value', value })
    await refused
    expect(await stateOf(waiting)).toBe(state)
    source.report({ kind: 'value', value: 'off' })
    await phase(cutover, 'old')
    expect(await sideOf(cutover.pool)).toBe('old')
  })

  it('the fallback serves, until the source says otherwise', async () => {
    const source = silentSource()
    const cutover = migrate({ source, fallback: 'new' })
    await cutover.ready()
    expect([cutover.phase, await sideOf(cutover.pool)]).toEqual(['new', 'new'])
    source.report({ kind: 'unavailable', reason: 'gone' })
    expect(await sideOf(cutover.pool)).toBe('new')
    source.report({ kind: 'value', value: 'old' })
    await phase(cutover, 'old')
    expect(await sideOf(cutover.pool)).toBe('old')
  })
})

it('a source that falls silent or talks nonsense moves nothing', async () => {
  const source = memorySource('live')
  const cutover = migrate({ source })
  await cutover.ready()
  const refused = eventWhere(cutover, 'wish', ({ outcome }) => outcome === 'refused')
  source.set('nonsense' as 'old')
  await refused
  expect([cutover.phase, await sideOf(cutover.pool)]).toEqual(['live', 'new'])
})

it('a fence that is met at rest reaches the caller untouched, and is told as an event', async () => {
  const cutover = migrate()
  await cutover.ready()
  const observer = new pg.Client({ connectionString: urls.old })
  await observer.connect()
  await observer.query(
    `create trigger fence before insert on entry for each statement execute function refuse('orders', '7')`,
  )
  await observer.end()
  const met = eventWhere(cutover, 'fence', () => true)
  const reason = await reasonOf(cutover.pool.query(WRITE, ['refused']))
  expect(reason).toMatchObject({
    code: '25006',
    severity: 'ERROR',
    message: 'pg-cutover fence: migration "orders" epoch 7',
  })
  expect(await met).toEqual({ name: 'orders', side: 'old', epoch: 7 })
  expect(cutover.status().route).toBe('direct')
})
