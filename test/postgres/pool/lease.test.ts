// The lease: a hold ends by itself, whoever asked for it, and what it held is let go or given up as retryable.
import { describe, expect, it } from 'vitest'
import type { Side } from '../../../src/phase/phases.js'
import { isCutoverError } from '../../../src/errors.js'
import { atRest, lease, reasonOf, sideOf, sides, stateOf, turn, WRITE } from './fixture.js'

const { drive, keys } = await sides()

const HOLD = 60
// A few round trips, on a machine that does other things too.
const MARGIN = 250

describe('at the end of a lease', () => {
  it.each(['old', 'new'] as const)('held calls go where its own end says: %s', async (side) => {
    const driven = drive()
    const { core, pool } = driven
    let asked = 0
    core.hold(
      lease(HOLD, () => {
        asked++
        return Promise.resolve(side)
      }),
    )
    const began = performance.now()
    expect(await sideOf(pool)).toBe(side)
    const waited = performance.now() - began
    expect(waited).toBeGreaterThanOrEqual(HOLD - 2)
    expect(waited).toBeLessThan(HOLD + MARGIN)
    await atRest(driven)
    expect(asked).toBe(1)
  })

  it('nothing is asked when the hold was ended before, or renewed', async () => {
    const { core, pool } = drive()
    const asked: string[] = []
    const ended = (name: string) => (): Promise<Side> => {
      asked.push(name)
      return Promise.resolve('old')
    }
    core.hold(lease(HOLD, ended('released')))
    core.release('old')
    core.hold(lease(HOLD, ended('renewed')))
    core.hold(lease(2 * HOLD, ended('last')))
    await sideOf(pool)
    expect(asked).toEqual(['last'])
  })

  it('an answer that comes when the hold is over already changes nothing', async () => {
    const driven = drive()
    const { core, pool } = driven
    let answer: ((side: Side) => void) | undefined
    const asked = new Promise<void>((resolve) => {
      core.hold(
        lease(1, () => {
          resolve()
          return new Promise<Side>((say) => {
            answer = say
          })
        }),
      )
    })
    // Something held keeps the lease's timer going in a process that has nothing else to do.
    const held = sideOf(pool)
    await asked
    core.release('new')
    expect(await held).toBe('new')
    answer?.('old')
    await turn()
    await atRest(driven)
    expect(await sideOf(pool)).toBe('new')
  })

  it('held calls are given up as retryable when it cannot be found out, never sent; later ones are let go when it can', async () => {
    const { core, pool } = drive()
    let asked = 0
    const cause = new Error('nobody answers')
    core.hold(lease(HOLD, () => (++asked === 1 ? Promise.reject(cause) : Promise.resolve('new' as const))))
    const began = performance.now()
    const given = await Promise.all([
      reasonOf(pool.query(WRITE, ['given up'])),
      reasonOf(pool.connect()),
      new Promise<unknown>((resolve) => {
        pool.query(WRITE, ['given up'], resolve)
      }),
    ])
    expect(performance.now() - began).toBeLessThan(HOLD + MARGIN)
    for (const error of given) {
      expect(error).toMatchObject({ name: 'CutoverError', code: '57P03', severity: 'FATAL', cause })
      expect(isCutoverError(error, '57P03')).toBe(true)
    }
    expect(core.state.kind).toBe('held')
    const later = pool.query(WRITE, ['later'])
    expect(await stateOf(later)).toBe('pending')
    await later
    expect([asked, await keys('old'), await keys('new')]).toEqual([2, [], ['later']])
  })

  it('calls from inside leases that found no slot are given up too', async () => {
    const { core, pool } = drive({ max: 1 })
    const client = await pool.connect()
    core.hold(lease(HOLD))
    await client.query('select 1')
    const nested = reasonOf(pool.connect())
    expect(await nested).toMatchObject({ code: '57P03' })
    client.release()
  })
})

it('a release says what the hold has cost', async () => {
  const { core, pool } = drive()
  core.hold(lease())
  await new Promise((resolve) => {
    setTimeout(resolve, 30)
  })
  const held = [sideOf(pool), sideOf(pool)]
  await new Promise((resolve) => {
    setTimeout(resolve, 30)
  })
  const report = core.release('new')
  await Promise.all(held)
  expect(report.held).toBe(2)
  expect(report.pauseMillis).toBeGreaterThanOrEqual(58)
  expect(report.longestHeldMillis).toBeGreaterThanOrEqual(28)
  expect(report.longestHeldMillis).toBeLessThan(report.pauseMillis)
  expect(core.release('new')).toEqual({ held: 0, longestHeldMillis: 0, pauseMillis: 0 })
})

it('a core that has ended is not held by anything', async () => {
  const { core, pool } = drive()
  await core.end(true)
  core.hold(lease())
  expect(core.state.kind).toBe('ended')
  expect((await reasonOf(pool.query('select 1'))).message).toBe(
    'Cannot use a pool after calling end on the pool',
  )
})
