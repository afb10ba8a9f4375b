// Pins: however the route changes meanwhile, the calls of one operation are answered by one side.
import { AsyncResource } from 'node:async_hooks'
import { once } from 'node:events'
import type pg from 'pg'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createCutover, memorySource, type Side } from '../../../src/index.js'
import {
  atRest,
  eventWhere,
  flip,
  lease,
  reasonOf,
  sideOf,
  sides,
  stateOf,
  turn,
  WRITE,
  type Driven,
} from './fixture.js'

const { drive, fence, keys, observe, until, urls } = await sides()

afterEach(() => {
  vi.useRealTimers()
})

const LOCK = 'select pg_advisory_lock(7)'

interface Step {
  readonly due: Promise<void>
  go(): void
}

function step(): Step {
  let go = (): void => {}
  const due = new Promise<void>((resolve) => {
    go = resolve
  })
  return { due, go }
}

type Ask = (pool: pg.Pool, core: Driven['core']) => Promise<Side | undefined>

const byQuery: Ask = (pool) => sideOf(pool)

const byClient: Ask = async (pool) => {
  const client = await pool.connect()
  try {
    return await sideOf(client)
  } finally {
    client.release()
  }
}

const byPin: Ask = (pool, core) => core.admission.pin(() => sideOf(pool))

interface Opened {
  /** The first call was answered. */
  readonly begun: Promise<void>
  /** Lets the second call be made. */
  go(): void
  readonly ended: Promise<(Side | undefined)[]>
}

/** A pin of two calls; it tells the side that it was told, and those that have answered. */
function openPin({ core, pool }: Driven, ask: Ask = byQuery): Opened {
  const [first, second] = [step(), step()]
  const ended = core.admission.pin(async (told) => {
    const before = await ask(pool, core)
    first.go()
    await second.due
    return [told, before, await ask(pool, core)]
  })
  return { begun: first.due, go: second.go, ended }
}

const allOf = (side: Side): Side[] => [side, side, side]

/** Keeps a client busy until it is told to give it back. */
async function busyClient(pool: pg.Pool): Promise<() => Promise<void>> {
  await observe('old', LOCK)
  const client = await pool.connect()
  const waiting = client.query(LOCK)
  await until(
    'old',
    `exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')`,
  )
  return async () => {
    await observe('old', 'select pg_advisory_unlock(7)')
    await waiting
    client.release(true)
  }
}

describe.each(['direct', 'armed'])('a pin that begins in the route %s', (route) => {
  const begin = async (config: pg.PoolConfig = {}): Promise<Driven> => {
    const driven = drive(config)
    if (route === 'armed') await driven.core.arm()
    return driven
  }

  it('runs at once, is told the side, and settles as its work does', async () => {
    const { core } = await begin()
    const fault = new Error('of the work')
    let ran = false
    const pinned = core.admission.pin((side) => {
      ran = true
      return side
    })
    expect(ran).toBe(true)
    expect(await pinned).toBe('old')
    const thrown = core.admission.pin(() => {
      throw fault
    })
    expect(await reasonOf(thrown)).toBe(fault)
    expect(await reasonOf(core.admission.pin(() => Promise.reject(fault)))).toBe(fault)
    expect(core.pins.count('old')).toBe(0)
  })

  it.each([
    ['query', byQuery],
    ['connect', byClient],
    ['a pin of its own', byPin],
  ])('asks one side by %s, though the drain begins between its calls', async (_, ask) => {
    const driven = await begin()
    const { core } = driven
    const pin = openPin(driven, ask)
    await pin.begun
    core.hold(lease())
    const drained = core.drain(5_000)
    const later = core.admission.pin((side) => side)
    pin.go()
    expect(await pin.ended).toEqual(allOf('old'))
    await drained
    core.release('new')
    // Before the pause or after it, by what was guessed of it; never pending.
    expect(['old', 'new']).toContain(await later)
  })

  it('keeps the drain for as long as it is not over, which then names it; an abort changes nothing for it', async () => {
    const driven = await begin()
    const { core } = driven
    const pins = [openPin(driven), openPin(driven)] as const
    await Promise.all(pins.map((pin) => pin.begun))
    core.hold(lease())
    const waiting = core.admission.pin((side) => side)
    const reason = await reasonOf(core.drain(3))
    expect(reason).toMatchObject({ code: 'ERR_DRAIN_TIMEOUT', details: { pins: 2, leases: [] } })
    expect(reason.message).toBe(
      '0 clients of this process were still at work on the old side after 3 ms: 2 pinned operations were not over',
    )
    core.release('old')
    expect(await waiting).toBe('old')
    for (const pin of pins) pin.go()
    expect(await Promise.all(pins.map((pin) => pin.ended))).toEqual([allOf('old'), allOf('old')])
    await flip(core, 'new')
    expect(await core.admission.pin(byQuery.bind(undefined, driven.pool, core))).toBe('new')
  })

  it('is told of where the side had to be left without a drain', async () => {
    const driven = await begin()
    const { core, events } = driven
    const pin = openPin(driven)
    await pin.begun
    const warned = eventWhere(events, 'warning', ({ code }) => code === 'PINS_LEFT')
    core.release('new')
    expect((await warned).message).toMatch(/^1 pinned operations were not over when the old side/)
    pin.go()
    expect(await pin.ended).toEqual(['old', 'old', 'new'])
    await atRest(driven)
    expect([core.pins.count('old'), core.pins.current()]).toEqual([0, undefined])
  })
})

it('a pin whose write meets the fence of somebody else goes on where the write is run again, and that is told', async () => {
  const driven = drive({}, { onFence: () => lease(60_000, () => Promise.resolve('new')) })
  const { core, pool, events } = driven
  await core.arm()
  await fence('old', 1)
  const warned = eventWhere(events, 'warning', ({ code }) => code === 'PINS_LEFT')
  const seen = await core.admission.pin(async () => [
    await sideOf(pool),
    (await pool.query<{ side: Side }>(WRITE, ['once'])).rows[0]?.side,
  ])
  await warned
  expect(seen).toEqual(['old', 'new'])
  expect([await keys('old'), await keys('new')]).toEqual([[], ['once']])
  await atRest(driven)
  expect(core.pins.current()).toBeUndefined()
})

describe('before a hold', () => {
  it('pins that began at rest are waited for, and their calls are let through', async () => {
    const driven = drive()
    const { core, inner } = driven
    const pin = openPin(driven)
    await pin.begun
    const warmed = once(inner.new, 'release')
    const armed = core.arm()
    await warmed
    await turn()
    expect(await stateOf(armed)).toBe('pending')
    expect(core.state.kind).toBe('armed')
    pin.go()
    expect(await pin.ended).toEqual(allOf('old'))
    await armed
  })

  it('a pin that began while armed is not waited for: its calls are known', async () => {
    const driven = drive()
    const { core } = driven
    await core.arm()
    const pin = openPin(driven)
    await pin.begun
    await core.arm()
    core.hold(lease())
    pin.go()
    // No drain that could guess.
    expect(await pin.ended).toEqual(allOf('old'))
  })
})

describe('a marked pin during a hold', () => {
  /** Held, with the second call of a pin still to come, and a lease that is busy: nothing is guessed meanwhile. */
  async function held(config: pg.PoolConfig = {}, ask = byQuery) {
    const driven = drive(config)
    const { core, pool } = driven
    await core.arm()
    const pin = openPin(driven, ask)
    await pin.begun
    const free = await busyClient(pool)
    core.hold(lease())
    const drained = core.drain(10_000)
    const finish = async (): Promise<void> => {
      await free()
      await drained
      core.release('new')
    }
    return { ...driven, pin, finish }
  }

  it.each([
    ['query', byQuery],
    ['connect', byClient],
    ['pin', byPin],
  ])('has its call by %s let through, while new work waits', async (_, ask) => {
    const { core, pool, pin, finish } = await held({}, ask)
    const later = [sideOf(pool), core.admission.pin((side) => side)]
    pin.go()
    expect(await pin.ended).toEqual(allOf('old'))
    expect(await Promise.all(later.map(stateOf))).toEqual(['pending', 'pending'])
    await finish()
    expect(await Promise.all(later)).toEqual(['new', 'new'])
  })

  it('has more calls at once than there are free slots', async () => {
    const { core, pool, pin, finish } = await held({ max: 2 }, (pool) =>
      Promise.all([1, 2, 3].map(() => sideOf(pool))).then(([a, b, c]) =>
        a === b && b === c ? a : undefined,
      ),
    )
    pin.go()
    expect(await pin.ended).toEqual(allOf('old'))
    expect(core.line.nested.length).toBe(0)
    await finish()
    expect(await sideOf(pool)).toBe('new')
  })

  it('had a call in the line when the hold came, behind new work', async () => {
    const driven = drive({ max: 2 })
    const { core, pool } = driven
    await core.arm()
    const pin = openPin(driven)
    await pin.begun
    const free = await busyClient(pool)
    const client = await pool.connect()
    const later = [sideOf(pool), sideOf(pool)]
    pin.go()
    await turn()
    core.hold(lease())
    const drained = core.drain(10_000)
    client.release()
    expect(await pin.ended).toEqual(allOf('old'))
    expect(await Promise.all(later.map(stateOf))).toEqual(['pending', 'pending'])
    await free()
    await drained
    core.release('new')
    expect(await Promise.all(later)).toEqual(['new', 'new'])
  })

  it('lets no new work pass it, although it asks the databases nothing for a while', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
    const driven = drive()
    const { core, pool } = driven
    await core.arm()
    const pin = openPin(driven)
    await pin.begun
    core.hold(lease())
    const drained = core.drain(10_000)
    const later = sideOf(pool)
    // Ten looks of the drain.
    vi.advanceTimersByTime(20)
    expect(await stateOf(later)).toBe('pending')
    pin.go()
    expect(await pin.ended).toEqual(allOf('old'))
    await drained
    core.release('new')
    expect(await later).toBe('new')
  })

  it('may begin inside a lease that is waited for', async () => {
    const driven = drive()
    const { core, pool } = driven
    await core.arm()
    const client = await pool.connect()
    core.hold(lease())
    const drained = core.drain(10_000)
    await client.query('select 1')
    const told = core.admission.pin((side) => side)
    expect(await stateOf(told)).toBe('fulfilled')
    client.release()
    await drained
    core.release('new')
    expect(await told).toBe('old')
  })

  it('is found by guessing where its async context was lost', async () => {
    const driven = drive()
    const { core, pool } = driven
    // Made before the pin, as the queue of a batching loader is.
    const outside = new AsyncResource('outside')
    await core.arm()
    const pin = openPin(driven, (pool) => outside.runInAsyncScope(() => sideOf(pool)))
    await pin.begun
    core.hold(lease())
    const drained = core.drain(10_000)
    pin.go()
    expect(await pin.ended).toEqual(allOf('old'))
    await drained
    core.release('new')
    expect(await sideOf(pool)).toBe('new')
  })

  it('does not take what was left running after its end for its own', async () => {
    const driven = drive()
    const { core, pool } = driven
    await core.arm()
    const late = step()
    let left: Promise<Side | undefined> = Promise.resolve(undefined)
    const other = openPin(driven)
    await core.admission.pin(() => {
      left = late.due.then(() => sideOf(pool))
    })
    core.hold(lease())
    late.go()
    expect(await stateOf(left)).toBe('pending')
    other.go()
    await other.ended
    await core.drain(10_000)
    core.release('new')
    expect(await left).toBe('new')
  })
})

describe('a pin that is asked for', () => {
  it.each(['held', 'unknown'])(
    'while the route is %s waits, and is told the side that it gets',
    async (kind) => {
      const driven = drive({}, { unknown: kind === 'unknown' })
      const { core } = driven
      if (kind === 'held') core.hold(lease())
      const pin = openPin(driven)
      expect(await stateOf(pin.ended)).toBe('pending')
      core.release('new')
      await pin.begun
      pin.go()
      expect(await pin.ended).toEqual(allOf('new'))
    },
  )

  it('while the line is let go waits its turn, and may be met by the next hold', async () => {
    const driven = drive({ max: 1 })
    const { core, pool } = driven
    core.hold(lease())
    const ahead = Array.from({ length: 20 }, () => sideOf(pool))
    const pins = Array.from({ length: 20 }, () =>
      core.admission.pin(() => Promise.all([sideOf(pool), byClient(pool, core)])),
    )
    core.release('new')
    await ahead[0]
    expect(core.state.kind).toBe('releasing')
    core.hold(lease())
    await core.drain(10_000)
    core.release('old')
    for (const [one, two] of await Promise.all(pins)) expect(one).toBe(two)
    await Promise.all(ahead)
  })

  it('where no phase comes, or after the end, is refused as calls are', async () => {
    const { core } = drive({}, { unknown: true })
    const waiting = reasonOf(core.admission.pin((side) => side))
    core.refuse()
    const code = 'ERR_PHASE_UNKNOWN'
    expect(await waiting).toMatchObject({ code })
    expect(await reasonOf(core.admission.pin((side) => side))).toMatchObject({ code })
    await core.end(true)
    const ended = await reasonOf(core.admission.pin((side) => side))
    expect(ended.message).toBe('Cannot use a pool after calling end on the pool')
  })

  it('behind a full pool waits no longer than `connectionTimeoutMillis`', async () => {
    const { core, pool, inner } = drive({ max: 1 })
    await core.arm()
    const client = await pool.connect()
    inner.old.options.connectionTimeoutMillis = 20
    const waiting = [reasonOf(sideOf(pool)), reasonOf(core.admission.pin((side) => side))]
    const message = 'timeout exceeded when trying to connect'
    expect(await Promise.all(waiting)).toMatchObject([{ message }, { message }])
    client.release()
  })
})

it('is refused for anything but a function', async () => {
  const source = memorySource('old')
  const cutover = createCutover({ name: 'orders', old: { max: 1 }, new: { max: 1 }, source })
  const work = 'select 1' as unknown as () => void
  expect(await reasonOf(cutover.pin(work))).toMatchObject({
    code: 'ERR_OPTION',
    message: 'pin: work is of type string; expected a function',
  })
  await cutover.end()
})

describe('a hold that the source asks for', () => {
  it('lets the calls of a pin that began at rest wait, and a move that follows lets them through', async () => {
    const source = memorySource('old')
    const cutover = createCutover({
      name: 'orders',
      old: { connectionString: urls.old },
      new: { connectionString: urls.new },
      source,
    })
    await cutover.ready()
    const [first, second] = [step(), step()]
    const pinned = cutover.pin(async (told) => {
      const before = await sideOf(cutover.pool)
      first.go()
      await second.due
      return [told, before, await sideOf(cutover.pool)]
    })
    await first.due
    source.set('hold')
    await eventWhere(cutover, 'route', ({ route }) => route === 'held')
    second.go()
    await turn()
    expect(await stateOf(pinned)).toBe('pending')
    const moved = eventWhere(cutover, 'cutover', () => true)
    source.set('new')
    expect(await pinned).toEqual(allOf('old'))
    const { outcome, steps } = await moved
    expect(outcome).toBe('done')
    // Nothing that is held can end before the drain, so that nothing is to be waited for.
    expect(steps['prepare']).toBeLessThan(1_000)
    await cutover.end()
  })
})
