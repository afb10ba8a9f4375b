// Idle connections: those of the side that was left are never used again, those opened for later live as long as they should.
import { once } from 'node:events'
import type pg from 'pg'
import { describe, expect, it } from 'vitest'
import type { Side } from '../../../src/phase/phases.js'
import { startProxy } from '../../support/proxy.js'
import { atRest, eventWhere, flip, lease, sideOf, sides, turn, type Driven } from './fixture.js'

const { drive, observe, terminate, until, urls } = await sides()

const processIdOf = (client: unknown): number => (client as { processID: number }).processID

async function backendOf(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ pid: number }>('select pg_backend_pid() as pid')
  return rows[0]?.pid ?? 0
}

const gone = (side: Side, pids: readonly number[]): Promise<void> =>
  until(side, 'not exists (select from pg_stat_activity where pid = any ($1))', [pids])

async function hold(driven: Driven, to: Side): Promise<void> {
  driven.core.hold(lease())
  await driven.core.drain(1_000)
  driven.core.release(to)
  await atRest(driven)
}

/** So many connections that are open and idle. */
async function open(pool: pg.Pool, count: number): Promise<number[]> {
  const clients = await Promise.all(Array.from({ length: count }, () => pool.connect()))
  for (const client of clients) client.release()
  await turn()
  return clients.map(processIdOf)
}

describe('sweep', () => {
  it('closes what was opened before the flip, so that a flip back does not find it', async () => {
    const driven = drive()
    const { core, pool, inner } = driven
    const before = await open(pool, 4)
    await flip(core, 'new')
    await core.sweep('old')
    expect(inner.old.totalCount).toBe(0)
    await gone('old', before)
    await flip(core, 'old')
    expect(before).not.toContain(await backendOf(pool))
  })

  it('closes a client that was still out, when it comes back', async () => {
    const driven = drive()
    const { core, pool, inner } = driven
    const client = await pool.connect()
    const backend = processIdOf(client)
    core.hold(lease())
    core.release('new')
    await atRest(driven)
    await core.sweep('old')
    expect([inner.old.totalCount, pool.totalCount]).toEqual([1, 1])
    expect(await sideOf(client)).toBe('old')
    const removed = once(inner.old, 'remove')
    client.release()
    await removed
    await gone('old', [backend])
  })

  it('does nothing to the side in use', async () => {
    const { core, pool, inner } = drive()
    await open(pool, 2)
    await core.sweep('old')
    expect(inner.old.totalCount).toBe(2)
  })

  it('ends where the side comes into use again without having been warmed', async () => {
    const driven = drive()
    const { core, pool, inner } = driven
    await hold(driven, 'new')
    await core.sweep('old')
    await hold(driven, 'old')
    const first = await backendOf(pool)
    await turn()
    await turn()
    expect(await backendOf(pool)).toBe(first)
    expect(inner.old.listenerCount('release')).toBe(0)
  })

  it('does not wait for a server that does not answer', async () => {
    const proxy = await startProxy(Number(new URL(urls.old).port))
    const { core, pool, inner } = drive({}, { old: { connectionString: proxy.url(urls.old) } })
    await open(pool, 2)
    await flip(core, 'new')
    proxy.stall()
    await core.sweep('old')
    expect(inner.old.totalCount).toBe(0)
    await proxy.close()
  })

  it('comes before anybody terminates the backends, so that no listener hears of it', async () => {
    const { core, pool, events } = drive()
    const errors: unknown[] = []
    pool.on('error', (error) => errors.push(error))
    events.on('sideError', (event) => errors.push(event))
    const before = await open(pool, 3)
    await flip(core, 'new')
    await core.sweep('old')
    await observe('old', 'select pg_terminate_backend(pid) from unnest($1::int[]) pid', [before])
    await gone('old', before)
    await turn()
    expect(errors).toEqual([])
  })
})

describe('warm', () => {
  it('opens as many connections as the side in use has, at once', async () => {
    const { core, pool, inner } = drive()
    await open(pool, 3)
    await core.arm()
    expect([inner.new.totalCount, inner.new.idleCount]).toEqual([3, 3])
  })

  it('opens no more than the other side may have', async () => {
    const { core, pool, inner } = drive({}, { new: { max: 2 } })
    await open(pool, 4)
    await core.arm()
    expect(inner.new.totalCount).toBe(2)
  })

  it('is done for two attempts at once, where neither could have all without the other', async () => {
    const { core, pool, inner } = drive({ max: 5 })
    await open(pool, 5)
    await Promise.all([core.arm(), core.arm(), core.arm()])
    expect([inner.new.totalCount, inner.new.idleCount]).toEqual([5, 5])
  })

  it('keeps them beyond idleTimeoutMillis, and lets go of them that long after the flip', async () => {
    const driven = drive({ idleTimeoutMillis: 40 })
    const { core, pool, inner } = driven
    await open(pool, 3)
    await core.arm()
    // Those of the side in use go on idling out.
    while (inner.old.totalCount > 0) await once(inner.old, 'remove')
    expect(inner.new.idleCount).toBe(3)
    core.hold(lease())
    core.release('new')
    await atRest(driven)
    expect(inner.new.options.min).toBe(0)
    while (inner.new.totalCount > 0) await once(inner.new, 'remove')
  })

  it('lets go of them that long after an attempt that was given up, too', async () => {
    const driven = drive({ idleTimeoutMillis: 40 })
    const { core, pool, inner } = driven
    await open(pool, 2)
    await core.arm()
    core.release('old')
    await atRest(driven)
    while (inner.new.totalCount > 0) await once(inner.new, 'remove')
    expect(inner.new.options.min).toBe(0)
  })

  it('opens again those that have died since', async () => {
    const { core, pool, inner, events } = drive()
    await open(pool, 2)
    await core.arm()
    const failed = eventWhere(events, 'sideError', ({ side }) => side === 'new')
    const { _clients } = inner.new as unknown as { _clients: unknown[] }
    await terminate('new', processIdOf(_clients[0]))
    await failed
    expect(inner.new.totalCount).toBe(1)
    await core.arm()
    expect(inner.new.idleCount).toBe(2)
  })

  it('fails where the other side is unreachable: the route is direct again, and `min` as it was', async () => {
    const proxy = await startProxy(Number(new URL(urls.new).port))
    await proxy.refuse()
    const driven = drive({ min: 1 }, { new: { connectionString: proxy.url(urls.new) } })
    const { core, pool, inner } = driven
    await expect(core.arm()).rejects.toMatchObject({ code: 'ECONNREFUSED' })
    await atRest(driven)
    expect([inner.new.options.min, inner.new.totalCount, await sideOf(pool)]).toEqual([1, 0, 'old'])
    await proxy.close()
  })

  it('says that it can do nothing where maxUses is 1', async () => {
    const { core, events, inner } = drive({ maxUses: 1 })
    const warned = eventWhere(events, 'warning', () => true)
    await core.arm()
    expect(await warned).toMatchObject({ code: 'NO_WARM_UP' })
    expect(inner.new.totalCount).toBe(0)
  })

  it('is not in the way of a second attempt after one that failed', async () => {
    const driven = drive()
    const { core, pool } = driven
    await flip(core, 'new')
    await core.sweep('old')
    await flip(core, 'old')
    await core.sweep('new')
    await flip(core, 'new')
    expect(await sideOf(pool)).toBe('new')
  })
})
