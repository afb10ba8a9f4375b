// The end: what waits is told, what is out is waited for, pools that were handed in go back to their owner as they were.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import pg from 'pg'
import { afterEach, describe, expect, it } from 'vitest'
import { createCutover, memorySource, type CutoverOptions } from '../../../src/index.js'
import { compiled } from '../../support/compiled.js'
import { countResources } from '../../support/leak-check.js'
import { startProxy } from '../../support/proxy.js'
import { lease, reasonOf, sideOf, sides, stateOf, turn } from './fixture.js'

const { drive, urls } = await sides()

const ENDED = 'Cannot use a pool after calling end on the pool'

const LISTENED = [
  'connect',
  'acquire',
  'release',
  'remove',
  'error',
  'newListener',
  'removeListener',
] as const

const listeners = (emitter: NodeJS.EventEmitter): Record<string, number> =>
  Object.fromEntries(LISTENED.map((name) => [name, emitter.listenerCount(name)]))

let pools: pg.Pool[] = []

const open = (side: 'old' | 'new', config: pg.PoolConfig = {}): pg.Pool => {
  const pool = new pg.Pool({ connectionString: urls[side], max: 2, ...config })
  pools.push(pool)
  return pool
}

afterEach(async () => {
  for (const pool of pools.splice(0)) if (!pool.ending) await pool.end()
})

const migration = (more: Partial<CutoverOptions> = {}): CutoverOptions => ({
  name: 'orders',
  old: { connectionString: urls.old },
  new: { connectionString: urls.new },
  source: memorySource('old'),
  ...more,
})

describe('pool.end()', () => {
  it('fails what waits in the inner pool, and waits for the client that is out', async () => {
    const { pool } = drive({ max: 1 })
    const client = await pool.connect()
    const waiting = [reasonOf(pool.query('select 1')), reasonOf(pool.connect())]
    const ended = pool.end()
    expect((await Promise.all(waiting)).map(({ message }) => message)).toEqual([ENDED, ENDED])
    expect(await stateOf(ended)).toBe('pending')
    expect(await sideOf(client)).toBe('old')
    client.release()
    await ended
    expect([pool.ending, pool.ended, pool.totalCount]).toEqual([true, true, 0])
  })

  it.each(['held', 'armed', 'unknown'])('fails what waits in the line: %s', async (kind) => {
    const { core, pool } = drive({ max: 1 }, { unknown: kind === 'unknown' })
    if (kind === 'armed') await core.arm()
    const client = kind === 'armed' ? await pool.connect() : undefined
    if (kind === 'held') core.hold(lease())
    const waiting = [
      reasonOf(pool.query('select 1')),
      reasonOf(pool.connect()),
      new Promise<Error | undefined>((resolve) => {
        pool.query('select 1', resolve)
      }),
      new Promise<Error | undefined>((resolve) => {
        pool.connect(resolve)
      }),
    ]
    expect(pool.waitingCount).toBe(4)
    const ended = pool.end()
    client?.release()
    await ended
    expect((await Promise.all(waiting)).map((error) => error?.message)).toEqual([ENDED, ENDED, ENDED, ENDED])
  })

  it('lets what is connecting have its answer', async () => {
    const { pool } = drive()
    const asked = sideOf(pool)
    const ended = pool.end()
    expect(await asked).toBe('old')
    await ended
  })

  it('has its callback form, and refuses to be called twice in either', async () => {
    const { pool } = drive()
    await new Promise<void>((resolve) => {
      pool.end(resolve)
    })
    expect((await reasonOf(pool.end())).message).toBe('Called end on pool more than once')
    const reason = await new Promise<unknown>((resolve) => {
      pool.end(resolve as () => void)
    })
    expect(reason).toMatchObject({ message: 'Called end on pool more than once' })
    expect((await reasonOf(pool.query('select 1'))).message).toBe(ENDED)
  })

  it('ends pools that were handed in', async () => {
    const { pool, inner } = drive({}, { handedIn: true })
    await sideOf(pool)
    await pool.end()
    expect([inner.old.ended, inner.new.ended]).toEqual([true, true])
  })

  it('ends a hold, whose lease is not asked any more', async () => {
    const { core, pool } = drive()
    let asked = false
    core.hold(
      lease(20, () => {
        asked = true
        return Promise.resolve('old')
      }),
    )
    await pool.end()
    await new Promise((resolve) => {
      setTimeout(resolve, 40)
    })
    expect([asked, core.state.kind]).toEqual([false, 'ended'])
  })
})

describe('cutover.end()', () => {
  it('gives pools that were handed in back as they were, open and with no listener of ours', async () => {
    const given = { old: open('old', { min: 1 }), new: open('new') }
    const client = await given.old.connect()
    client.release()
    const before = [listeners(given.old), listeners(given.new)]
    const source = memorySource('old')
    const cutover = createCutover(migration({ ...given, source }))
    for (const name of ['connect', 'acquire', 'release', 'remove'])
      cutover.pool.on(name as 'connect', () => {})
    await cutover.ready()
    await cutover.advance('new')
    expect(await sideOf(cutover.pool)).toBe('new')
    await cutover.advance('old')
    expect(await sideOf(cutover.pool)).toBe('old')
    const later = await given.old.connect()
    await cutover.end()
    expect((await reasonOf(cutover.pool.query('select 1'))).message).toBe(ENDED)
    expect([listeners(given.old), listeners(given.new)]).toEqual(before)
    expect([given.old.options.min, given.new.options.min]).toEqual([1, 0])
    const { connection } = later as unknown as { connection: NodeJS.EventEmitter }
    expect([connection.listenerCount('errorMessage'), later.listenerCount('error')]).toEqual([1, 0])
    later.release()
    expect([await sideOf(given.old), await sideOf(given.new)]).toEqual(['old', 'new'])
  })

  it('ends its own pools, fails what waits, and may be called again, before or after pool.end()', async () => {
    const cutover = createCutover(migration({ source: memorySource() }))
    const waiting = reasonOf(cutover.pool.query('select 1'))
    const unready = reasonOf(cutover.ready())
    const first = cutover.end()
    expect(cutover.end()).toBe(first)
    await first
    expect((await waiting).message).toBe(ENDED)
    expect(await unready).toMatchObject({ code: 'ERR_ENDED' })
    await cutover.pool.end()
    expect(cutover.pool.ended).toBe(true)

    const other = createCutover(migration())
    await other.ready()
    await other.pool.end()
    await other.end()
    await expect(other.advance('new')).rejects.toMatchObject({ code: 'ERR_ENDED' })
  })

  it('gives up a flip that is under way, even to a server that does not answer', async () => {
    const proxy = await startProxy(Number(new URL(urls.new).port))
    proxy.stall()
    const source = memorySource('old')
    const cutover = createCutover(migration({ source, new: { connectionString: proxy.url(urls.new) } }))
    await cutover.ready()
    const armed = new Promise<void>((resolve) => {
      cutover.on('route', ({ route }) => route === 'armed' && resolve())
    })
    source.set('new')
    await armed
    await cutover.end()
    expect(cutover.phase).toBe('old')
    await proxy.close()
  })
})

describe('a pool that is handed in', () => {
  const refused = (more: Partial<CutoverOptions>): unknown => {
    try {
      createCutover(migration(more))
    } catch (error) {
      return error
    }
    return undefined
  }

  it('is refused while it belongs to another migration, and free again after that one has ended', async () => {
    const given = open('old')
    const first = createCutover(migration({ old: given }))
    expect(refused({ old: given })).toMatchObject({
      code: 'ERR_OPTION',
      message: /given as old .*another migration/,
    })
    expect(refused({ new: given })).toMatchObject({
      code: 'ERR_OPTION',
      message: /given as new .*another migration/,
    })
    await first.end()
    const second = createCutover(migration({ old: given }))
    await second.ready()
    expect(await sideOf(second.pool)).toBe('old')
    await second.end()
  })

  it('is refused when it was ended, and the other one is not kept for that', async () => {
    const given = { old: open('old'), new: open('new') }
    await given.new.end()
    expect(refused(given)).toMatchObject({ code: 'ERR_OPTION', message: /given as new was ended/ })
    const cutover = createCutover(migration({ old: given.old }))
    await cutover.ready()
    await cutover.end()
  })
})

describe('a process', () => {
  const run = promisify(execFile)
  const script = fileURLToPath(new URL('exiting-process.ts', import.meta.url))
  const says = async (what: string): Promise<string[]> => {
    const { stdout } = await run(process.execPath, [compiled(script), what, urls.old, urls.new], {
      timeout: 20_000,
    })
    return stdout.trim().split('\n')
  }

  it.each([
    ['ends by itself when nothing is held and nothing keeps it', 'nothing held', ['old', 'exit 0']],
    [
      'does not end while a call is held, however little else keeps it',
      'held',
      ['released', 'new', 'exit 0'],
    ],
    ['does not end while a read waits for connections of its own, and no later', 'read', ['old', 'exit 0']],
    ['ends by itself while held when nothing waits', 'held for nobody', ['exit 0']],
    ['ends by itself after cutover.end()', 'ended', ['old', 'new', 'ended', 'exit 0']],
  ])('%s', async (_, what, said) => {
    expect(await says(what)).toEqual(said)
  })
})

it('a queue that is failed leaves nothing that runs later', async () => {
  const { core, pool } = drive({ connectionTimeoutMillis: 60_000 })
  const before = countResources().Timeout
  core.hold(lease())
  const waiting = reasonOf(pool.query('select 1'))
  await pool.end()
  await waiting
  await turn()
  expect(countResources().Timeout).toBe(before)
})
