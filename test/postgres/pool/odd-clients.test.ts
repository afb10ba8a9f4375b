// Clients that lack what the facade likes to see, as those of pg-native: it does without and stays correct.
import { EventEmitter } from 'node:events'
import { callbackify } from 'node:util'
import pg from 'pg'
import { describe, expect, it } from 'vitest'
import { serverIsQuiet } from '../../../src/pool/server-look.js'
import { atRest, flip, lease, reasonOf, sideOf, sides, WRITE } from './fixture.js'

const { drive, fence, keys } = await sides()

/** The surface of a pg-native client that pg-pool uses, and no `connection`, `processID` or transaction status. */
class NativeLike extends EventEmitter {
  readonly #real: pg.Client
  readonly _queryQueue: readonly unknown[] = []
  _activeQuery: unknown
  _queryable = true
  _ending = false
  _connected = false

  constructor(config: pg.ClientConfig) {
    super()
    const { connectionString } = config
    this.#real = new pg.Client({ connectionString })
    this.#real.on('error', (error) => this.emit('error', error))
    this.#real.on('end', () => this.emit('end'))
  }

  connect(callback?: (error?: Error) => void): Promise<void> | undefined {
    if (callback === undefined) return this.#connect()
    callbackify(() => this.#connect())(callback)
    return undefined
  }

  async #connect(): Promise<void> {
    await this.#real.connect()
    this._connected = true
  }

  query(...args: unknown[]): unknown {
    const done = (): void => {
      this._activeQuery = undefined
    }
    this._activeQuery = {}
    const last = args.at(-1)
    if (typeof last === 'function') {
      args[args.length - 1] = (...answer: unknown[]) => {
        done()
        Reflect.apply(last, undefined, answer)
      }
      return Reflect.apply(this.#real.query, this.#real, args)
    }
    const asked = Reflect.apply(this.#real.query, this.#real, args) as unknown as Promise<unknown>
    return asked.finally(done)
  }

  end(callback?: () => void): void {
    this._ending = true
    callbackify(() => this.#real.end())(() => callback?.())
  }

  ref(): void {}
  unref(): void {}
}

const odd = { Client: NativeLike as unknown as typeof pg.Client }

describe('clients as those of pg-native', () => {
  it('are served, and moved', async () => {
    const driven = drive(odd)
    const { core, pool } = driven
    expect(await sideOf(pool)).toBe('old')
    const client = await pool.connect()
    await core.arm()
    core.hold(lease())
    const held = pool.query(WRITE, ['held'])
    const drained = core.drain(5_000)
    await client.query(WRITE, ['under way'])
    client.release()
    await drained
    await serverIsQuiet(core.pools.old, 1_000)
    core.release('new')
    await held
    await atRest(driven)
    await core.sweep('old')
    expect([await keys('old'), await keys('new'), driven.inner.old.totalCount]).toEqual([
      ['under way'],
      ['held'],
      0,
    ])
  })

  it('keep their idle connections through a drain, since nobody knows of a transaction on them', async () => {
    const { core, pool, inner } = drive(odd)
    await sideOf(pool)
    core.hold(lease())
    await core.drain(1_000)
    expect(inner.old.idleCount).toBe(1)
  })

  it('tell nobody of a fence, and what met it fails', async () => {
    const driven = drive(odd, { onFence: () => lease(1_000, () => Promise.resolve('new')) })
    await driven.core.arm()
    await fence('old', 7)
    expect(await reasonOf(driven.pool.query(WRITE, ['key']))).toMatchObject({ code: '25006' })
    expect([await keys('old'), await keys('new')]).toEqual([[], []])
  })

  it('are named at the deadline of a drain', async () => {
    const { core, pool } = drive(odd)
    const client = await pool.connect()
    core.hold(lease())
    const reason = await reasonOf(core.drain(20))
    expect(reason).toMatchObject({ code: 'ERR_DRAIN_TIMEOUT', details: { leases: [{ side: 'old' }] } })
    client.release()
  })
})

it('pools of different sizes and versions of a config are moved', async () => {
  const driven = drive({}, { old: { max: 8 }, new: { max: 2, idleTimeoutMillis: 0 } })
  const { core, pool } = driven
  expect(pool.options.max).toBe(8)
  const calls = Array.from({ length: 30 }, () => sideOf(pool))
  await flip(core, 'new')
  calls.push(...Array.from({ length: 30 }, () => sideOf(pool)))
  await Promise.all(calls)
  await atRest(driven)
  expect([pool.options.max, driven.inner.new.totalCount]).toEqual([2, 2])
})
