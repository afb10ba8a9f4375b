// The LaunchDarkly source with both real SDKs: what each kind of flag asks for, and that trouble never asks for anything.
import { EventEmitter, once } from 'node:events'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  launchDarkly,
  type LaunchDarklyClient,
  type LaunchDarklyOptions,
} from '../../adapters/launchdarkly.js'
import { CutoverEvents } from '../../src/events.js'
import type { SourceReport } from '../../src/index.js'
import { follow, type Follower } from '../../src/phase/follow.js'
import { emitted, SDK_9, SDKS, type SdkClient } from '../support/launchdarkly-clients.js'
import { hearing, type Hearing } from '../support/hearing.js'
import { startLaunchDarkly, type LaunchDarklyServer } from '../support/launchdarkly-server.js'

/** One for each test, since the clients are shared. */
let flag = ''
let flags = 0

const unavailable = (reason: RegExp): SourceReport => ({
  kind: 'unavailable',
  reason: expect.stringMatching(reason) as string,
})

describe.each(SDKS)('$name', ({ connect }) => {
  let server: LaunchDarklyServer
  let client: SdkClient
  const opened: Hearing[] = []
  const clients: SdkClient[] = []
  const followers: Follower[] = []

  beforeAll(async () => {
    server = await startLaunchDarkly()
    client = connect(server)
    await emitted(client, 'ready')
  })
  beforeEach(() => {
    flag = `orders-${++flags}`
  })
  afterEach(async () => {
    for (const one of opened.splice(0)) await one.source.close()
    for (const one of followers.splice(0)) await one.close()
    for (const one of clients.splice(0)) one.close()
  })
  afterAll(async () => {
    client.close()
    await server.close()
  })

  async function listen(options?: LaunchDarklyOptions, of: LaunchDarklyClient = client): Promise<Hearing> {
    const heard = hearing(launchDarkly(of, flag, options))
    opened.push(heard)
    await heard.source.watch(heard.report, { name: 'orders' })
    return heard
  }

  function another(options?: Parameters<typeof connect>[1], at = server): SdkClient {
    const made = connect(at, options)
    clients.push(made)
    return made
  }

  /** What a flag asks for by the time that the client knows it. */
  async function asked(value: unknown, options?: LaunchDarklyOptions): Promise<SourceReport | undefined> {
    const changed = emitted(client, `update:${flag}`)
    const heard = await listen(options)
    server.setValue(flag, value)
    await changed
    await new Promise(setImmediate)
    return heard.reports.at(-1)
  }

  it.each([
    ['false', false, {}, 'old'],
    ['true', true, {}, 'new'],
    ['false of a mirrored migration', false, { off: 'shadow', on: 'live' }, 'shadow'],
    ['true of a mirrored migration', true, { off: 'shadow', on: 'live' }, 'live'],
    ['a phase', 'mirror', {}, 'mirror'],
    ['a stage of LaunchDarkly', 'dualwrite', {}, 'dualwrite'],
    ['hold', 'hold', {}, 'hold'],
    ['JSON with a phase', { phase: 'shadow', ticket: 7 }, {}, 'shadow'],
    ['an unknown variation', 'sideways', {}, 'sideways'],
    ['a number', 7, {}, 7],
    ['JSON without a phase', { stage: 'live' }, {}, 'JSON without "phase"'],
    ['a list', ['live'], {}, 'JSON without "phase"'],
  ] as const)('reports %s', async (_, value, options, wish) => {
    expect(await asked(value, options)).toEqual({ kind: 'value', value: wish })
  })

  it('moves nothing at a value that is no wish, and says why', async () => {
    const events = new CutoverEvents()
    const done: string[] = []
    const changed = emitted(client, `update:${flag}`)
    server.setValue(flag, 'shadow')
    await changed
    const source = launchDarkly(client, flag)
    const follower = follow(source, { name: 'orders', events, onWish: (wish) => void done.push(wish) })
    followers.push(follower)
    await follower.firstWish(5_000)
    await follower.settled()
    const refusals: string[] = []
    for (const value of ['sideways', 7, { stage: 'live' }, null]) {
      const told = once(events, 'wish')
      server.setValue(flag, value)
      const [{ outcome, reason }] = (await told) as [{ outcome: string; reason: string }]
      refusals.push(`${outcome}: ${reason}`)
    }
    server.remove(flag)
    await once(events, 'wish')
    expect(done).toEqual(['shadow'])
    expect(refusals).toEqual([
      expect.stringContaining('refused: "sideways" is no phase'),
      expect.stringContaining('refused: 7 is no phase'),
      expect.stringContaining('refused: "JSON without "phase"" is no phase'),
      expect.stringContaining('unavailable: '),
    ])
    expect(follower.whyNot).toMatch(/has no flag "orders-\d+"/)
  })

  it('asks for one context of its own kind, which may be another', async () => {
    const changed = emitted(client, `update:${flag}`)
    server.setFlag(flag, {
      variations: ['old', 'shadow', 'live'],
      contextTargets: [
        { contextKind: 'migration', variation: 1, values: ['orders'] },
        { contextKind: 'team', variation: 2, values: ['storage'] },
      ],
    })
    await changed
    const [own, other] = [await listen(), await listen({ context: { kind: 'team', key: 'storage' } })]
    expect([own.reports[0], other.reports[0]]).toEqual([
      { kind: 'value', value: 'shadow' },
      { kind: 'value', value: 'live' },
    ])
  })

  it('is unavailable while the flag is missing and again when it is archived', async () => {
    const heard = await listen()
    expect(heard.reports).toEqual([unavailable(/has no flag "orders-\d+".*create it/)])
    server.setValue(flag, 'live')
    await heard.until(({ kind }) => kind === 'value')
    server.remove(flag)
    await heard.until((_, index) => index === 2)
    expect(heard.reports[2]).toEqual(unavailable(/archived/))
  })

  it('is unavailable while the flag is off and has no off variation', async () => {
    const heard = await listen()
    server.setFlag(flag, { on: false, variations: ['old', 'live'], offVariation: null })
    await heard.until((_, index) => index === 1)
    expect(heard.reports[1]).toEqual(unavailable(/is off and has no off variation/))
  })

  it('is unavailable with a client that is offline', async () => {
    const offline = another({ offline: true })
    await emitted(offline, 'ready')
    expect((await listen({}, offline)).reports).toEqual([unavailable(/offline/)])
  })

  it('is unavailable until the client is initialised, and hears the flag then', async () => {
    server.setValue(flag, 'live')
    server.stall()
    const heard = await listen({}, another())
    expect(heard.reports).toEqual([unavailable(/is not initialised/)])
    server.accept()
    await heard.until(({ kind }) => kind === 'value')
    expect(heard.reports.at(-1)).toEqual({ kind: 'value', value: 'live' })
  })

  it.each([401, 403])(
    'says that the client has given up when it is refused with %i from the start',
    async (status) => {
      server.refuse(status)
      const heard = await listen({}, another())
      await heard.until(({ kind }, index) => kind === 'unavailable' && index > 0)
      server.accept()
      expect(heard.reports.at(-1)).toEqual(unavailable(/has given up \(.*check the SDK key/))
    },
  )

  it('says that the client has given up when its key is revoked, and keeps no old value alive by its poll', async () => {
    const own = await startLaunchDarkly()
    own.setValue(flag, 'live')
    const revoked = another({}, own)
    await emitted(revoked, 'ready')
    const heard = await listen({ pollMillis: 10 }, revoked)
    expect(heard.reports).toEqual([{ kind: 'value', value: 'live' }])
    own.refuse(401)
    own.cut()
    await heard.until(({ kind }) => kind === 'unavailable')
    const first = heard.reports.length
    await heard.until((_, index) => index > first)
    expect(heard.reports.slice(first)).not.toContainEqual({ kind: 'value', value: 'live' })
    revoked.close()
    await own.close()
  })

  it('keeps the last value through an outage and hears at its end what was changed meanwhile', async () => {
    server.setValue(flag, 'shadow')
    const heard = await listen({ pollMillis: 10 })
    await heard.until(({ kind }) => kind === 'value')
    const known = heard.reports.length
    server.refuse(503)
    server.cut()
    server.setValue(flag, 'live')
    await heard.until((_, index) => index > known + 1)
    server.accept()
    await heard.until((report) => report.kind === 'value' && report.value === 'live')
    const values = heard.reports.slice(known).map((one) => (one.kind === 'value' ? one.value : one.kind))
    expect(new Set(values)).toEqual(new Set(['shadow', 'live']))
  })

  it('takes a broken message for nothing', async () => {
    server.setValue(flag, 'shadow')
    const heard = await listen()
    await heard.until(({ kind }) => kind === 'value')
    const known = heard.reports.length
    const failed = emitted(client, 'failed')
    server.sendGarbage()
    await failed
    server.setValue(flag, 'live')
    await heard.until((report) => report.kind === 'value' && report.value === 'live')
    expect(heard.reports.slice(known).every(({ kind }) => kind === 'value')).toBe(true)
  })

  it('ends a burst of changes with the last of them', async () => {
    const heard = await listen()
    for (let n = 0; n < 50; n++) server.setValue(flag, n % 2 === 0 ? 'shadow' : 'live')
    server.setValue(flag, 'rampdown')
    await heard.until((report) => report.kind === 'value' && report.value === 'rampdown')
    await new Promise(setImmediate)
    expect(heard.reports.at(-1)).toEqual({ kind: 'value', value: 'rampdown' })
  })

  it('keeps the last value of a client that was closed, and can be closed after it', async () => {
    server.setValue(flag, 'live')
    const short = another()
    await emitted(short, 'ready')
    const heard = await listen({ pollMillis: 10 }, short)
    short.close()
    await heard.until((_, index) => index > 1)
    expect(heard.reports.every((one) => one.kind === 'value' && one.value === 'live')).toBe(true)
    await heard.source.close()
  })

  it('leaves the errors of the SDK to its log, and its listeners to their owner', async () => {
    const error = vi.fn<(...words: unknown[]) => void>()
    const quiet = (): void => undefined
    const logged = another({ logger: { error, warn: quiet, info: quiet, debug: quiet } })
    await emitted(logged, 'ready')
    const events = ['ready', 'failed', 'error', `update:${flag}`]
    logged.on(`update:${flag}`, quiet)
    const before = events.map((event) => logged.listenerCount(event))
    const heard = await listen({}, logged)
    expect(logged.listenerCount('error')).toBe(0)
    expect(error.mock.calls.flat().join(' ')).toContain('Unknown feature flag')
    await heard.source.close()
    expect(events.map((event) => logged.listenerCount(event))).toEqual(before)
  })

  it('reports nothing after it was closed', async () => {
    const heard = await listen({ pollMillis: 10 })
    await heard.source.close()
    const known = heard.reports.length
    const changed = emitted(client, `update:${flag}`)
    server.setValue(flag, 'live')
    await changed
    await new Promise(setImmediate)
    expect(heard.reports.length).toBe(known)
  })
})

describe('polling instead of a stream', () => {
  it('hears the first value and each change that a poll of the SDK brings', async () => {
    const server = await startLaunchDarkly()
    server.setValue(flag, 'shadow')
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const client = SDK_9.connect(server, { stream: false })
    const heard = hearing(launchDarkly(client, flag))
    await heard.source.watch(heard.report, { name: 'orders' })
    await heard.until((report) => report.kind === 'value' && report.value === 'shadow')
    server.setValue(flag, 'live')
    await vi.advanceTimersByTimeAsync(30_000)
    await heard.until((report) => report.kind === 'value' && report.value === 'live')
    vi.useRealTimers()
    await heard.source.close()
    client.close()
    await server.close()
  })
})

describe('a client of the right shape', () => {
  interface Stub extends LaunchDarklyClient {
    readonly emitter: EventEmitter
    /** Answers the oldest evaluation that is open. */
    answer(value: unknown): void
    readonly asked: number
  }

  function stub(): Stub {
    const emitter = new EventEmitter()
    const open: ((detail: { value: unknown; reason: { kind: string } }) => void)[] = []
    let asked = 0
    return {
      emitter,
      get asked() {
        return asked
      },
      answer: (value) => open.shift()?.({ value, reason: { kind: 'FALLTHROUGH' } }),
      initialized: () => true,
      isOffline: () => false,
      on: (event, listener) => emitter.on(event, listener),
      off: (event, listener) => emitter.off(event, listener),
      allFlagsState: () => Promise.resolve({ valid: false, toJSON: () => ({}) }),
      variationDetail() {
        asked++
        return new Promise((resolve) => open.push(resolve))
      },
    }
  }

  it('is asked once at a time, and once more for all changes that came meanwhile', async () => {
    const client = stub()
    const heard = hearing(launchDarkly(client, 'orders'))
    const watched = heard.source.watch(heard.report, { name: 'orders' })
    for (let n = 0; n < 5; n++) client.emitter.emit('update:orders')
    expect(client.asked).toBe(1)
    client.answer('shadow')
    await vi.waitUntil(() => client.asked === 2, { interval: 1 })
    client.answer('live')
    await watched
    expect([client.asked, heard.reports]).toEqual([2, [{ kind: 'value', value: 'live' }]])
    await heard.source.close()
  })

  it('is asked by the slow poll as well, for events that are lost, until the source is closed', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const client = stub()
    const heard = hearing(launchDarkly(client, 'orders'))
    const watched = heard.source.watch(heard.report, { name: 'orders' })
    client.answer('shadow')
    await watched
    vi.advanceTimersByTime(9_999)
    expect(client.asked).toBe(1)
    vi.advanceTimersByTime(1)
    expect(client.asked).toBe(2)
    client.answer('live')
    await heard.until((report) => report.kind === 'value' && report.value === 'live')
    await heard.source.close()
    expect([vi.getTimerCount(), client.emitter.eventNames()]).toEqual([0, []])
    vi.useRealTimers()
  })

  it('whose store never answers is unavailable, and is asked again', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] })
    const client = stub()
    const heard = hearing(launchDarkly(client, 'orders'))
    const watched = heard.source.watch(heard.report, { name: 'orders' })
    await vi.advanceTimersByTimeAsync(5_000)
    await watched
    expect(heard.reports).toEqual([
      { kind: 'unavailable', reason: expect.stringContaining('not evaluated within 5000 ms') },
    ])
    await vi.advanceTimersByTimeAsync(5_000)
    expect(client.asked).toBe(2)
    client.answer('mirror')
    client.answer('live')
    await heard.until((report) => report.kind === 'value')
    expect(heard.reports.at(-1)).toEqual({ kind: 'value', value: 'live' })
    await heard.source.close()
    expect(vi.getTimerCount()).toBe(0)
    vi.useRealTimers()
  })

  it('is not listened to after the source was closed in the middle of an evaluation', async () => {
    const client = stub()
    const heard = hearing(launchDarkly(client, 'orders'))
    const watched = heard.source.watch(heard.report, { name: 'orders' })
    await heard.source.close()
    client.answer('live')
    await watched
    expect(heard.reports).toEqual([])
  })

  it('may fail to evaluate, which is told and moves nothing', async () => {
    const client = { ...stub(), variationDetail: () => Promise.reject(new Error('the store is gone')) }
    const heard = hearing(launchDarkly(client, 'orders'))
    await heard.source.watch(heard.report, { name: 'orders' })
    expect(heard.reports).toEqual([unavailable(/could not be evaluated: the store is gone/)])
    await heard.source.close()
  })

  it.each([
    [
      'the key of an SDK for its client',
      ['sdk-key', 'orders'],
      /the client has no method initialized.*init\(sdkKey\)/,
    ],
    ['nothing for its client', [undefined, 'orders'], /the client has no method/],
    ['no flag key', [stub(), ''], /flag key is missing/],
    ['an unknown option', [stub(), 'orders', { pollMilis: 5 }], /pollMilis is no option; known are context/],
    ['a short poll', [stub(), 'orders', { pollMillis: 1 }], /pollMillis is 1; expected a whole number/],
    [
      'a phase that is none',
      [stub(), 'orders', { on: 'sideways' }],
      /on is "sideways"; expected one of old, mirror/,
    ],
    ['hold for a phase', [stub(), 'orders', { off: 'hold' }], /off is "hold"; expected one of old/],
    [
      'a context without a key',
      [stub(), 'orders', { context: { kind: 'user' } }],
      /context is of type object; expected/,
    ],
    [
      'too many samples',
      [stub(), 'orders', { samplesPerSecond: 101 }],
      /samplesPerSecond is 101; expected a number/,
    ],
    ['a list of options', [stub(), 'orders', []], /got an array; expected an object/],
  ])('is required, as are good options: %s is refused', (_, given, message) => {
    const call = (): unknown => Reflect.apply(launchDarkly, undefined, given)
    expect(call).toThrow(message)
    expect(call).toThrow(expect.objectContaining({ code: 'ERR_OPTION' }) as Error)
  })
})
