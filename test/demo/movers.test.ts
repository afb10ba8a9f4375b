// What moves the demo: each kind reaches every phase by itself, and says why where one was not reached.
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { MOVERS } from '../../demo/movers.js'
import type { Mover, MoverName } from '../../demo/movers.js'
import { createCutover } from '../../src/index.js'
import type { Cutover, Phase } from '../../src/index.js'
import { freshDatabases } from '../support/databases.js'
import type { FreshDatabases } from '../support/databases.js'

const STORY: readonly Phase[] = ['mirror', 'shadow', 'live', 'shadow', 'live', 'rampdown', 'new']

let databases: FreshDatabases
let mover: Mover
let cutover: Cutover

beforeAll(async () => {
  databases = await freshDatabases()
})

afterAll(() => databases.drop())

// Direct mode is enough: what the databases do about a move has tests of its own.
async function open(kind: MoverName): Promise<void> {
  mover = await MOVERS[kind].open()
  cutover = createCutover({
    name: 'orders',
    old: { connectionString: databases.old, max: 2 },
    new: { connectionString: databases.new, max: 2 },
    source: mover.source,
    drainTimeoutMillis: 50,
  })
  await cutover.ready()
}

afterEach(async () => {
  vi.useRealTimers()
  await cutover.end()
  await mover.close()
})

const REQUESTS = {
  memory: [
    'advance("mirror")',
    'advance("shadow")',
    'advance("live")',
    'rollback()',
    'advance("live")',
    'advance("rampdown")',
    'advance("new")',
  ],
  file: [
    'file → "mirror"',
    'file → "shadow"',
    'file → "live"',
    'file → "shadow"',
    'file → "live"',
    'file → "rampdown"',
    'file → "new"',
  ],
  launchdarkly: [
    'flag → "dualwrite"',
    'flag → "shadow"',
    'flag → "live"',
    'flag → "shadow"',
    'flag → "live"',
    'flag → "rampdown"',
    'flag → "complete"',
  ],
} as const satisfies Record<MoverName, readonly string[]>

describe.each(Object.keys(MOVERS) as MoverName[])('%s', (kind) => {
  it('goes through the whole story, and tells what it does', async () => {
    await open(kind)
    expect(cutover.phase).toBe('old')
    const requests: string[] = []
    const directions: (string | undefined)[] = []
    for (const phase of STORY) {
      requests.push(mover.request(cutover.phase, phase))
      directions.push((await mover.move(cutover, phase))?.direction)
      expect(cutover.phase).toBe(phase)
    }
    expect(requests).toEqual(REQUESTS[kind])
    expect(directions).toEqual([undefined, undefined, 'old→new', 'new→old', 'old→new', undefined, undefined])
  })

  it('rejects with the reason where a move was not done', async () => {
    await open(kind)
    const client = await cutover.pool.connect()
    try {
      await client.query('begin')
      await expect(mover.move(cutover, 'live')).rejects.toThrow('still at work on the old side')
      expect(cutover.phase).toBe('old')
    } finally {
      client.release(true)
    }
  })
})

it('does not wait for ever where nobody hears the flip', async () => {
  await open('launchdarkly')
  await mover.close()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const moved = expect(mover.move(cutover, 'live')).rejects.toThrow('the flip to "live" was not heard')
  vi.advanceTimersByTime(10_000)
  await moved
  expect(cutover.listenerCount('wish')).toBe(0)
})
