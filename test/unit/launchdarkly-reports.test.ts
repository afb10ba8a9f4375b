// What the LaunchDarkly source reports besides the wish: rollouts to the operator, and measured calls to LaunchDarkly.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  launchDarkly,
  type LaunchDarklyClient,
  type LaunchDarklyOptions,
} from '../../adapters/launchdarkly.js'
import type { LaunchDarklyTracker } from '../../adapters/launchdarkly/client.js'
import type { SampledCall, SourceReport } from '../../src/index.js'
import { hearing, type Hearing } from '../support/hearing.js'
import { emitted, SDK_7, SDK_9, SDKS, type SdkClient } from '../support/launchdarkly-clients.js'
import { startLaunchDarkly, type Flag, type LaunchDarklyServer } from '../support/launchdarkly-server.js'

let server: LaunchDarklyServer
const open: Hearing[] = []

beforeAll(async () => {
  server = await startLaunchDarkly()
})
afterEach(async () => {
  for (const one of open.splice(0)) await one.source.close()
})
afterAll(() => server.close())

async function listen(
  client: LaunchDarklyClient,
  flag: string,
  options?: LaunchDarklyOptions,
): Promise<Hearing> {
  const heard = hearing(launchDarkly(client, flag, options))
  open.push(heard)
  await heard.source.watch(heard.report, { name: 'orders' })
  return heard
}

/** Sets a flag and waits until the client knows it. */
async function set(client: SdkClient, key: string, flag: Flag): Promise<void> {
  // Some listener must be there, or the SDKs do not look for changes.
  const changed = emitted(client, `update:${key}`)
  server.setFlag(key, flag)
  await changed
}

describe.each(SDKS)('a percentage rollout with $name', ({ connect }) => {
  let client: SdkClient
  let flag = ''
  let flags = 0

  beforeAll(async () => {
    client = connect(server)
    await emitted(client, 'ready')
    vi.spyOn(client, 'allFlagsState')
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
  })
  beforeEach(() => {
    flag = `rolled-${++flags}`
    vi.mocked(client.allFlagsState).mockClear()
  })
  afterAll(() => {
    vi.useRealTimers()
    client.close()
  })

  const rolledOut = (contextKind: string): Flag => ({
    variations: ['shadow', 'live'],
    fallthrough: {
      rollout: {
        contextKind,
        variations: [
          { variation: 0, weight: 50_000 },
          { variation: 1, weight: 50_000 },
        ],
      },
    },
  })
  const allLooks = (): Promise<unknown> => vi.advanceTimersByTimeAsync(2_000)
  const warningsOf = ({ reports }: Hearing): readonly SourceReport[] =>
    reports.filter(({ kind }) => kind === 'warning')

  it.each(['migration', 'user'])('over contexts of kind %s is warned of once a minute', async (kind) => {
    const heard = await listen(client, flag)
    const warning = {
      kind: 'warning',
      code: 'PERCENTAGE_ROLLOUT',
      message: expect.stringContaining(`contexts of kind "${kind}" get different variations`) as string,
    }
    await set(client, flag, rolledOut(kind))
    await allLooks()
    expect(warningsOf(heard)).toEqual([warning])
    await set(client, flag, rolledOut(kind))
    await allLooks()
    expect(warningsOf(heard)).toEqual([warning])
    await vi.advanceTimersByTimeAsync(60_000)
    await set(client, flag, rolledOut(kind))
    await allLooks()
    expect(warningsOf(heard)).toEqual([warning, warning])
  })

  it('is not mistaken for a target or a rule that says something else to some', async () => {
    await set(client, flag, {
      variations: ['shadow', 'live'],
      contextTargets: [{ contextKind: 'migration', variation: 1, values: ['orders'] }],
      rules: ['migration', 'user'].map((contextKind) => ({
        id: contextKind,
        variation: 1,
        clauses: [{ contextKind, attribute: 'key', op: 'endsWith', values: ['3', '7'], negate: false }],
      })),
    })
    const heard = await listen(client, flag)
    await allLooks()
    expect(heard.reports).toEqual([{ kind: 'value', value: 'live' }])
    expect(client.allFlagsState).toHaveBeenCalledTimes(52)
  })

  it('is looked for anew at each change, and by nobody once the source is closed', async () => {
    await set(client, flag, { variations: ['shadow'] })
    const timers = vi.getTimerCount()
    const heard = await listen(client, flag)
    for (const phase of ['live', 'shadow', 'live']) {
      await set(client, flag, { variations: [phase] })
      await new Promise(setImmediate)
      expect(vi.getTimerCount()).toBe(timers + 1)
    }
    await vi.advanceTimersByTimeAsync(25)
    expect(client.allFlagsState).toHaveBeenCalledTimes(2)
    await heard.source.close()
    await allLooks()
    expect(client.allFlagsState).toHaveBeenCalledTimes(2)
  })
})

describe('measuring with SDK 9', () => {
  const FLAG = 'orders-migration'
  const CALL: SampledCall = { operation: 'read', side: 'new', millis: 1, failed: false }
  let client: SdkClient

  beforeAll(async () => {
    client = SDK_9.connect(server, { sendEvents: true })
    await emitted(client, 'ready')
  })
  afterAll(() => client.close())

  async function sent(...calls: SampledCall[]): Promise<Record<string, unknown>[]> {
    const before = server.events.length
    for (const call of calls) open.at(-1)?.source.sampler?.take(call)
    await client.flush()
    return server.events.slice(before).filter(({ kind }) => kind === 'migration_op')
  }

  it('tells LaunchDarkly of each call what, where, how long, whether it failed and whether both agreed', async () => {
    await set(client, FLAG, { variations: ['shadow'], migration: { checkRatio: 1 } })
    const { source } = await listen(client, FLAG, { samplesPerSecond: 5 })
    expect([source.sampler?.active, source.sampler?.perSecond]).toEqual([true, 5])
    const events = await sent(
      { operation: 'read', side: 'old', millis: 1.5, otherMillis: 2.5, failed: false, consistent: false },
      { operation: 'write', side: 'new', millis: 20, failed: true },
      { operation: 'read', side: 'old', millis: 2, failed: false, consistent: true },
    )
    expect(events.map(({ operation, measurements }) => [operation, measurements])).toEqual([
      [
        'read',
        [
          { key: 'invoked', values: { old: true, new: true } },
          { key: 'consistent', value: false, samplingRatio: 1 },
          { key: 'latency_ms', values: { old: 1.5, new: 2.5 } },
        ],
      ],
      [
        'write',
        [
          { key: 'invoked', values: { new: true } },
          { key: 'latency_ms', values: { new: 20 } },
          { key: 'error', values: { new: true } },
        ],
      ],
      [
        'read',
        [
          { key: 'invoked', values: { old: true, new: true } },
          { key: 'consistent', value: true, samplingRatio: 1 },
          { key: 'latency_ms', values: { old: 2 } },
        ],
      ],
    ])
    expect(events[1]).toMatchObject({
      evaluation: { key: FLAG, value: 'shadow', default: 'off', reason: { kind: 'FALLTHROUGH' } },
      context: { kind: 'migration', key: 'orders' },
    })
  })

  it('follows the value of the flag, with the version that gave it', async () => {
    await set(client, FLAG, { variations: ['shadow'], migration: {} })
    const heard = await listen(client, FLAG)
    const [before] = await sent(CALL)
    await set(client, FLAG, { variations: ['live'], migration: {} })
    await heard.until((report) => report.kind === 'value' && report.value === 'live')
    await new Promise(setImmediate)
    const [after] = await sent(CALL)
    expect([before?.evaluation, after?.evaluation]).toEqual([
      expect.objectContaining({ value: 'shadow' }),
      expect.objectContaining({ value: 'live' }),
    ])
  })

  it('leaves out what the flag says is to be left out', async () => {
    await set(client, FLAG, { variations: ['live'], migration: { checkRatio: 0 } })
    await listen(client, FLAG)
    const [unchecked] = await sent({ ...CALL, consistent: true })
    expect(unchecked?.measurements).toEqual([
      { key: 'invoked', values: { old: true, new: true } },
      { key: 'latency_ms', values: { new: 1 } },
    ])
    await set(client, FLAG, { variations: ['live'], migration: {}, samplingRatio: 0 })
    await new Promise(setImmediate)
    expect(await sent(CALL)).toEqual([])
  })

  it('does not say again of a call what the check of another one found', async () => {
    const variation = vi.spyOn(client, 'migrationVariation')
    await set(client, FLAG, { variations: ['live'], migration: { checkRatio: 2 } })
    await listen(client, FLAG)
    const made = (await variation.mock.results[0]?.value) as { tracker: LaunchDarklyTracker } | undefined
    const tracker = made?.tracker
    if (tracker === undefined) throw new Error('no tracker was made')
    variation.mockRestore()
    vi.spyOn(tracker, 'consistency')
      .mockImplementationOnce((check) => Object.assign(tracker, { _consistencyCheck: Number(check()) }))
      .mockImplementationOnce(() => undefined)
    const [checked, passedOver] = await sent({ ...CALL, consistent: true }, { ...CALL, consistent: true })
    const consistent = { key: 'consistent', value: true, samplingRatio: 2 }
    expect(checked?.measurements).toContainEqual(consistent)
    expect(passedOver?.measurements).not.toContainEqual(consistent)
  })

  it.each([
    ['a boolean', [true]],
    ['a phase that is no stage', ['mirror']],
    ['a string flag once its value is both a phase and a stage', ['mirror', 'shadow']],
    ['JSON with a stage', [{ phase: 'shadow' }]],
    ['garbage', ['sideways']],
    ['no value', ['shadow', null]],
  ])('is not done for %s', async (name, values) => {
    const flag = name.replaceAll(' ', '-')
    const { source } = await listen(client, flag)
    for (const value of values) {
      await set(client, flag, { variations: [value] })
      await new Promise(setImmediate)
    }
    expect(source.sampler?.active).toBe(false)
    expect(await sent(CALL)).toEqual([])
  })

  it('ends when the flag is archived, and when the source is closed', async () => {
    await set(client, FLAG, { variations: ['live'], migration: {} })
    const [archived, closed] = [await listen(client, FLAG), await listen(client, FLAG)]
    expect([archived.source.sampler?.active, closed.source.sampler?.active]).toEqual([true, true])
    await closed.source.close()
    expect(closed.source.sampler?.active).toBe(false)
    server.remove(FLAG)
    await archived.until(({ kind }) => kind === 'unavailable')
    await new Promise(setImmediate)
    expect(archived.source.sampler?.active).toBe(false)
  })

  it('never throws into the call that is measured', async () => {
    await set(client, FLAG, { variations: ['live'], migration: {} })
    const { source } = await listen(client, FLAG)
    const broken = vi.spyOn(client, 'trackMigration').mockImplementation(() => {
      throw new Error('broken')
    })
    source.sampler?.take(CALL)
    expect(broken).toHaveBeenCalledOnce()
    broken.mockRestore()
  })

  it('is not offered when it is turned off, nor by SDK 7, which cannot', () => {
    const old = SDK_7.connect(server, { offline: true })
    expect([
      launchDarkly(client, FLAG, { samplesPerSecond: 0 }).sampler,
      launchDarkly(old, FLAG).sampler,
    ]).toEqual([undefined, undefined])
    old.close()
  })
})
