// Whatever happens on the side that is compared with: callers notice nothing, and it is counted as what it is.
import { once } from 'node:events'
import { afterAll, describe, expect, it } from 'vitest'
import type { Cutover, EventMap, MemorySource, Phase } from '../../../src/index.js'
import { memorySource, PHASES } from '../../../src/index.js'
import { startProxy } from '../../support/proxy.js'
import { comparedSides, until } from './fixture.js'

const s = await comparedSides(`
  create table item (id int primary key, n int not null);
  insert into item select i, i from generate_series(1, 20) i`)
const proxy = await startProxy(Number(new URL(s.urls.new).port))
afterAll(() => proxy.close())

const READ = 'select id, n from item where id = $1'
const EVERY = { rate: 1, perMinute: 0, timeoutMillis: 200, lagTimeoutMillis: 1 }
const throughProxy = { new: { connectionString: proxy.url(s.urls.new), max: 4 } }

/** A caller has his answer before anything of the comparison begins, so there is nothing to be measured. */
async function served(cutover: Cutover): Promise<void> {
  const answers = await Promise.all(Array.from({ length: 20 }, (_, nr) => cutover.pool.query(READ, [nr + 1])))
  expect(answers.map(({ rows }) => rows)).toEqual(
    Array.from({ length: 20 }, (_, nr) => [{ id: nr + 1, n: nr + 1 }]),
  )
}

const comparedOnce = (cutover: Cutover) =>
  until(
    cutover,
    ({ outcomes }) => outcomes.equal > 0,
    () => cutover.pool.query(READ, [1]),
  )

describe('the other side', () => {
  it('is away from the beginning, and comes back', { timeout: 20_000 }, async () => {
    await proxy.refuse()
    const warned: string[] = []
    const cutover = await s.begin('shadow', { shadow: EVERY, ...throughProxy })
    cutover.on('warning', ({ code }) => warned.push(code))
    await until(
      cutover,
      ({ skipped }) => skipped.unavailable > 3,
      () => served(cutover),
    )
    expect(warned).toEqual(['SHADOW'])
    expect(cutover.shadow.totals().compared).toBe(0)
    await proxy.resume()
    await cutover.pool.query(READ, [1])
    // Its catalogs are read when it is asked for again, and until then nothing is run there but its planner.
    await until(
      cutover,
      ({ outcomes, skipped }) => outcomes.equal > 0 || skipped.volatile > 0,
      () => cutover.pool.query(READ, [1]),
    )
  })

  it('goes away, also in the middle', async () => {
    const cutover = await s.begin('shadow', { shadow: EVERY, ...throughProxy })
    await comparedOnce(cutover)
    proxy.stall()
    await until(
      cutover,
      ({ skipped }) => skipped.timeout + skipped.unavailable > 2,
      () => served(cutover),
    )
    await proxy.resume()
    await comparedOnce(cutover)
    await proxy.refuse()
    proxy.cut()
    await until(
      cutover,
      ({ skipped }) => skipped.unavailable > 2,
      () => served(cutover),
    )
    expect(cutover.shadow.totals().outcomes).toMatchObject({ real: 0, unsettled: 0 })
    await proxy.resume()
  })

  it('has no connection left', async () => {
    const role = `few_${new URL(s.urls.new).pathname.slice(1)}`
    await s.on.new.query(`create role ${role} login password 'few' connection limit 0`)
    const url = new URL(s.urls.new)
    url.username = role
    url.password = 'few'
    const cutover = await s.begin('shadow', { shadow: EVERY, new: { connectionString: url.href } })
    await until(
      cutover,
      ({ skipped }) => skipped.unavailable > 2,
      () => served(cutover),
    )
    expect(cutover.shadow.totals().compared).toBe(0)
    await s.on.new.query(`drop role ${role}`)
  })

  it('is slow', async () => {
    const cutover = await s.begin('shadow', { shadow: { ...EVERY, timeoutMillis: 50 } })
    await comparedOnce(cutover)
    await s.on.new.query('begin; lock table item in access exclusive mode')
    await until(
      cutover,
      ({ skipped }) => skipped.timeout > 1,
      () => served(cutover),
    )
    await s.on.new.query('commit')
  })
})

it('an answer that is too large is not compared', async () => {
  const cutover = await s.begin('shadow', { shadow: { ...EVERY, maxBytes: 2_000 } })
  await until(
    cutover,
    ({ skipped }) => skipped.tooLarge > 1,
    () => cutover.pool.query(`select repeat('x', 100000) from item`),
  )
})

describe('a phase', () => {
  const routeOf = ({ pool }: Cutover): string | undefined =>
    (pool as unknown as { route: object }).route.constructor.name

  it.each(Object.keys(PHASES) as Phase[])('%s is observed only if it is compared', async (phase) => {
    const cutover = await s.begin(phase, { shadow: EVERY })
    if (PHASES[phase].compared) await comparedOnce(cutover)
    await cutover.pool.query(READ, [1])
    expect(routeOf(cutover)).toBe(PHASES[phase].compared ? 'ObservedRoute' : 'DirectRoute')
    expect(cutover.shadow.report().comparing).toBe(PHASES[phase].compared)
  })

  it('that follows ends what is under way, and its sessions', async () => {
    const source: MemorySource = memorySource('shadow')
    const cutover = await s.begin('shadow', { shadow: { ...EVERY, timeoutMillis: 20_000 }, source })
    await comparedOnce(cutover)
    await s.on.new.query('begin; lock table item in access exclusive mode')
    await served(cutover)
    const followed = once(cutover, 'phase') as Promise<EventMap['phase']>
    source.set('mirror')
    expect(await followed).toMatchObject([{ to: 'mirror' }])
    expect(routeOf(cutover)).toBe('DirectRoute')
    await until(cutover, ({ skipped }) => skipped.interrupted >= 2)
    await s.on.new.query('commit')
    expect(cutover.shadow.report().comparing).toBe(false)
  })

  it('is not compared where the option says so', async () => {
    const cutover = await s.begin('shadow', { shadow: false })
    await served(cutover)
    expect(routeOf(cutover)).toBe('DirectRoute')
    expect(cutover.shadow.report()).toMatchObject({ comparing: false, compared: 0 })
  })
})

it('a held call is nobody’s sample, and what was asked at rest is not begun in a hold', async () => {
  const source = memorySource('shadow')
  const cutover = await s.begin('shadow', { shadow: EVERY, source, holdTimeoutMillis: 300, heldReadsMax: 0 })
  await comparedOnce(cutover)
  const held = once(cutover, 'route')
  source.set('hold')
  expect(await held).toMatchObject([{ route: 'held' }])
  const before = cutover.shadow.totals()
  const late = cutover.pool.query(READ, [1])
  await until(cutover, ({ compared }) => compared >= before.compared)
  await late
  expect(cutover.shadow.totals().compared).toBeLessThanOrEqual(before.compared + 10)
})
