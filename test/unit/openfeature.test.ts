// A flag of OpenFeature as a source, with the real SDK: what is heard, what is never taken for a wish, what is left behind.
import { EventEmitter, once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { LaunchDarklyProvider } from '@launchdarkly/openfeature-node-server'
import {
  AsyncLocalStorageTransactionContextPropagator,
  ErrorCode,
  FirstMatchStrategy,
  InMemoryProvider,
  MultiProvider,
  NOOP_TRANSACTION_CONTEXT_PROPAGATOR,
  OpenFeature,
  OpenFeatureEventEmitter,
  ProviderEvents,
  type Client,
  type EvaluationContext,
  type JsonValue,
  type Provider,
  type ResolutionDetails,
} from '@openfeature/server-sdk'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openFeature, type OpenFeatureClient, type OpenFeatureOptions } from '../../adapters/openfeature.js'
import { isCutoverError, type Source, type SourceReport } from '../../src/index.js'
import { startLaunchDarkly, type LaunchDarklyServer } from '../support/launchdarkly-server.js'

const FLAG = 'orders-database'
const MIGRATION = { name: 'orders' }
const silent = { error() {}, warn() {}, info() {}, debug() {} }

let domains = 0
let client: Client
let domain = ''
let source: Source | undefined
let heard: SourceReport[] = []
const reports = new EventEmitter()

beforeAll(() => OpenFeature.setLogger(silent))
afterAll(() => OpenFeature.clearProviders())

beforeEach(() => {
  domain = `domain ${++domains}`
  client = OpenFeature.getClient(domain)
  heard = []
})

afterEach(() => source?.close())

/** Watches with a poll of an hour: what these tests hear comes from an event, unless they poll on purpose. */
async function watched(options: OpenFeatureOptions = {}): Promise<Source> {
  source = openFeature(client, FLAG, { pollMillis: 3_600_000, ...options })
  await source.watch((report) => {
    heard.push(report)
    reports.emit('report')
  }, MIGRATION)
  return source
}

async function until(check: (last: SourceReport | undefined) => boolean): Promise<void> {
  while (!check(heard.at(-1))) await once(reports, 'report', { signal: AbortSignal.timeout(5_000) })
}

const untilValue = (value: string): Promise<void> =>
  until((last) => last?.kind === 'value' && last.value === value)

const untilUnavailable = (reason: RegExp): Promise<void> =>
  until((last) => last?.kind === 'unavailable' && reason.test(last.reason))

/** Every handler and evaluation that an event has set off is done; none of them waits for anything outside. */
async function quiet(): Promise<void> {
  for (let turns = 0; turns < 5; turns++) await turn()
}

type Config = ConstructorParameters<typeof InMemoryProvider>[0]

const holding = (value: JsonValue, disabled = false): NonNullable<Config> => ({
  [FLAG]: { variants: { it: value as string }, defaultVariant: 'it', disabled },
})

async function inMemory(config: Config): Promise<InMemoryProvider> {
  const provider = new InMemoryProvider(config)
  await OpenFeature.setProviderAndWait(domain, provider)
  return provider
}

type Answer = (asked: {
  readonly type: string
  readonly fallback: unknown
  readonly context: EvaluationContext
}) => unknown

/** A provider that answers as a test says. */
class Scripted implements Provider {
  readonly metadata = { name: 'scripted' }
  readonly events = new OpenFeatureEventEmitter()
  readonly asked: string[] = []
  answer: Answer

  constructor(answer: Answer) {
    this.answer = answer
  }
  async #resolve<T>(type: string, fallback: T, context: EvaluationContext): Promise<ResolutionDetails<T>> {
    this.asked.push(type)
    return (await this.answer({ type, fallback, context })) as ResolutionDetails<T>
  }
  resolveStringEvaluation(_: string, fallback: string, context: EvaluationContext) {
    return this.#resolve('string', fallback, context)
  }
  resolveBooleanEvaluation(_: string, fallback: boolean, context: EvaluationContext) {
    return this.#resolve('boolean', fallback, context)
  }
  resolveNumberEvaluation(_: string, fallback: number, context: EvaluationContext) {
    return this.#resolve('number', fallback, context)
  }
  resolveObjectEvaluation<T extends JsonValue>(_: string, fallback: T, context: EvaluationContext) {
    return this.#resolve('object', fallback, context)
  }
}

async function scripted(answer: Answer): Promise<Scripted> {
  const provider = new Scripted(answer)
  await OpenFeature.setProviderAndWait(domain, provider)
  return provider
}

describe('values', () => {
  it.each<[JsonValue, string]>([
    ['live', 'live'],
    ['dualwrite', 'dualwrite'],
    ['hold', 'hold'],
    ['lvie', 'lvie'],
    ['', ''],
    [{ phase: 'shadow' }, 'shadow'],
    [{ phase: 'hold', by: 'me' }, 'hold'],
    [{ stage: 'live' }, 'an object without the name of a phase as "phase"'],
    [{ phase: { phase: 'live' } }, 'an object without the name of a phase as "phase"'],
    [['live'], 'an object without the name of a phase as "phase"'],
    [false, 'old'],
    [true, 'new'],
  ])('%j is heard as %s', async (flag, value) => {
    await inMemory(holding(flag))
    await watched()
    expect(heard).toEqual([{ kind: 'value', value }])
  })

  it.each([
    [false, 'shadow'],
    [true, 'live'],
  ])('%s is the phase that the options name', async (flag, value) => {
    await inMemory(holding(flag))
    await watched({ off: 'shadow', on: 'live', type: 'boolean' })
    expect(heard).toEqual([{ kind: 'value', value }])
  })

  it.each<[string, Config, OpenFeatureOptions, RegExp]>([
    ['a missing flag', {}, {}, /^flag "orders-database" cannot be evaluated \(FLAG_NOT_FOUND: no flag found/],
    ['a disabled flag of phases', holding('live', true), {}, /has no value of its own \(DISABLED\)/],
    ['a disabled JSON flag', holding({ phase: 'live' }, true), { type: 'object' }, /\(DISABLED\)/],
    ['a disabled boolean flag', holding(true, true), { type: 'boolean' }, /\(DISABLED\)/],
    ['a number', holding(7), {}, /is no string and no object and no boolean \(TYPE_MISMATCH\); it must/],
    ['null', holding(null), {}, /has no value of its own \(STATIC\)/],
    ['a boolean that must be a string', holding(true), { type: 'string' }, /is no string \(TYPE_MISMATCH\)/],
    ['a string that must be a boolean', holding('new'), { type: 'boolean' }, /is no boolean \(TYPE_MISMATCH/],
  ])('%s is unavailable', async (_, config, options, reason) => {
    await inMemory(config)
    await watched(options)
    expect(heard).toEqual([{ kind: 'unavailable', reason: expect.stringMatching(reason) }])
  })
})

describe('the default of the caller is never a wish', () => {
  const TYPES = ['string', 'object', 'boolean'] as const
  const CASES: [string, Answer, RegExp][] = [
    ['gives it with no reason', ({ fallback }) => ({ value: fallback }), /has no value of its own/],
    [
      'gives it as DEFAULT',
      ({ fallback }) => ({ value: fallback, reason: 'DEFAULT' }),
      /of its own \(DEFAULT\)/,
    ],
    [
      'gives a copy of it',
      ({ fallback }) => ({ value: structuredClone(fallback) }),
      /has no value of its own/,
    ],
    ['gives nothing', () => ({}), /has no value of its own/],
    ['gives null', () => ({ value: null, reason: 'OFF' }), /has no value of its own \(OFF\)|TYPE_MISMATCH/],
    [
      'gives a value with an error',
      () => ({ value: true, errorCode: 'PARSE_ERROR', errorMessage: 'bad rule' }),
      /cannot be evaluated \(PARSE_ERROR: bad rule\)/,
    ],
    ['gives a value for the reason ERROR', () => ({ value: 'new', reason: 'ERROR' }), /evaluated \(ERROR\)/],
    [
      'throws',
      () => {
        throw new Error('no line to the service')
      },
      /cannot be evaluated \(GENERAL: no line to the service\)/,
    ],
  ]

  it.each(TYPES.flatMap((type) => CASES.map(([name, ...rest]) => [type, name, ...rest] as const)))(
    'type %s: a provider that %s is unavailable',
    async (type, _, answer, reason) => {
      await scripted(answer)
      await watched({ type })
      expect(heard).toEqual([{ kind: 'unavailable', reason: expect.stringMatching(reason) }])
    },
  )

  it('takes the reason DEFAULT with a value of the service', async () => {
    await scripted(() => ({ value: 'live', reason: 'DEFAULT' }))
    await watched()
    expect(heard).toEqual([{ kind: 'value', value: 'live' }])
  })

  it('is unavailable without a provider, and when all providers are taken away', async () => {
    await watched({ pollMillis: 10 })
    expect(heard).toEqual([
      {
        kind: 'unavailable',
        reason: expect.stringMatching(/\(PROVIDER_NOT_READY: .*\); set a provider for this client/),
      },
    ])
    await inMemory(holding('live'))
    await untilValue('live')
    await OpenFeature.clearProviders()
    await untilUnavailable(/PROVIDER_NOT_READY/)
  })

  it('is unavailable until the provider is ready', async () => {
    const ready = new EventEmitter()
    class Slow extends InMemoryProvider {
      initialize = async (): Promise<void> => void (await once(ready, 'ready'))
    }
    OpenFeature.setProvider(domain, new Slow(holding('live')))
    await watched()
    expect(heard).toEqual([
      { kind: 'unavailable', reason: expect.stringContaining('PROVIDER_NOT_READY') as string },
    ])
    ready.emit('ready')
    await untilValue('live')
  })

  it('is unavailable while a provider says that it has failed for good', async () => {
    const provider = await inMemory(holding('live'))
    await watched()
    provider.events.emit(ProviderEvents.Error, {
      errorCode: ErrorCode.PROVIDER_FATAL,
      message: 'key revoked',
    })
    await untilUnavailable(/PROVIDER_FATAL/)
    provider.events.emit(ProviderEvents.Ready)
    await untilValue('live')
  })

  it('gives up on a provider that does not answer, and drops its late word', async () => {
    const late = new EventEmitter()
    const provider = await scripted(async () => ({ value: await once(late, 'answer').then(() => 'new') }))
    await watched({ timeoutMillis: 10 })
    expect(heard).toEqual([
      { kind: 'unavailable', reason: 'flag "orders-database" was not evaluated within 10 ms' },
    ])
    provider.answer = () => ({ value: 'old' })
    provider.events.emit(ProviderEvents.ConfigurationChanged)
    await untilValue('old')
    late.emit('answer')
    await quiet()
    expect(heard).toHaveLength(2)
  })
})

describe('the type', () => {
  it('is found out once', async () => {
    const provider = await scripted(({ type }) =>
      type === 'object' ? { value: { phase: 'old' } } : { value: true, errorCode: ErrorCode.TYPE_MISMATCH },
    )
    await watched()
    provider.events.emit(ProviderEvents.ConfigurationChanged)
    await quiet()
    expect(provider.asked).toEqual(['string', 'object', 'object'])
  })

  it('is found out too where a provider does not look at it', async () => {
    const provider = await scripted(() => ({ value: true }))
    await watched()
    expect(heard).toEqual([{ kind: 'value', value: 'new' }])
    expect(provider.asked).toEqual(['string', 'object', 'boolean'])
  })

  it('must be named where a provider does not tell that it is another one', async () => {
    const parts = [{ provider: new InMemoryProvider({}) }, { provider: new InMemoryProvider(holding(true)) }]
    await OpenFeature.setProviderAndWait(domain, new MultiProvider(parts, new FirstMatchStrategy(), silent))
    await (await watched()).close()
    expect(heard).toEqual([
      {
        kind: 'unavailable',
        reason: expect.stringMatching(/\(GENERAL: .*name its type by the option `type`/),
      },
    ])
    await watched({ type: 'boolean' })
    expect(heard.at(-1)).toEqual({ kind: 'value', value: 'new' })
  })

  it('may become another one, but phases never become the truth of a switch', async () => {
    const provider = await inMemory(holding(false))
    await watched()
    provider.putConfiguration(holding('shadow'))
    await untilValue('shadow')
    provider.putConfiguration(holding({ phase: 'mirror' }))
    await untilValue('mirror')
    provider.putConfiguration(holding(true))
    await untilUnavailable(/^flag "orders-database" was of type object and now is no object and no string/)
    provider.putConfiguration(holding('live'))
    await untilValue('live')
  })
})

describe('changes', () => {
  it('hears each one, and the flag that is removed and comes back', async () => {
    const provider = await inMemory(holding('old'))
    await watched()
    provider.putConfiguration(holding('live'))
    await untilValue('live')
    provider.putConfiguration({})
    await untilUnavailable(/FLAG_NOT_FOUND/)
    provider.putConfiguration(holding('live'))
    await untilValue('live')
  })

  it('ends a burst with its last value, with one evaluation at a time', async () => {
    const provider = await inMemory(holding('old'))
    await watched()
    for (let change = 0; change < 50; change++)
      provider.putConfiguration(holding(change % 2 === 0 ? 'mirror' : 'shadow'))
    provider.putConfiguration(holding('live'))
    await untilValue('live')
    await quiet()
    expect(heard.at(-1)).toEqual({ kind: 'value', value: 'live' })
    expect(heard.length).toBeLessThan(5)
  })

  it('is not overtaken by an evaluation that began before', async () => {
    const gate = new EventEmitter()
    const provider = await scripted(() => ({ value: 'old' }))
    await watched()
    provider.answer = async () => ({ value: await once(gate, 'open').then(() => 'mirror') })
    provider.events.emit(ProviderEvents.ConfigurationChanged)
    await quiet()
    provider.answer = () => ({ value: 'live' })
    provider.events.emit(ProviderEvents.ConfigurationChanged)
    await quiet()
    expect(heard.at(-1)).toEqual({ kind: 'value', value: 'old' })
    gate.emit('open')
    await untilValue('live')
    expect(heard.map((report) => report.kind === 'value' && report.value)).toEqual(['old', 'mirror', 'live'])
  })

  it.each([
    ['of this flag', { flagsChanged: ['other', FLAG] }, 2],
    ['of flags that are not named', {}, 2],
    ['of no flag in particular', { flagsChanged: [] }, 2],
    ['of other flags alone', { flagsChanged: ['other'] }, 1],
  ])('a change %s', async (_, details, evaluations) => {
    const provider = await scripted(() => ({ value: 'old' }))
    await watched()
    provider.events.emit(ProviderEvents.ConfigurationChanged, details)
    await quiet()
    expect(provider.asked).toHaveLength(evaluations)
  })

  it('polls a provider without events', async () => {
    let value = 'old'
    class Mute extends Scripted {
      override readonly events = undefined as unknown as OpenFeatureEventEmitter
    }
    await OpenFeature.setProviderAndWait(domain, new Mute(() => ({ value })))
    await watched({ pollMillis: 10 })
    value = 'live'
    await untilValue('live')
  })

  it('follows another provider that takes the place of the first', async () => {
    await inMemory(holding('old'))
    await watched()
    const next = await inMemory(holding('shadow'))
    await untilValue('shadow')
    next.putConfiguration(holding('live'))
    await untilValue('live')
  })
})

describe('warnings', () => {
  const stale = (message: string): SourceReport => ({ kind: 'warning', code: 'SOURCE_STALE', message })

  it('says once that the provider is stale, and keeps the value', async () => {
    const provider = await inMemory(holding('old'))
    await watched()
    provider.events.emit(ProviderEvents.Stale, { message: 'stream cut' })
    provider.events.emit(ProviderEvents.Stale)
    await quiet()
    const first = stale(
      'the provider of flag "orders-database" says that it may be out of date (stream cut); the last value is kept',
    )
    expect(heard).toEqual([{ kind: 'value', value: 'old' }, first])
    provider.events.emit(ProviderEvents.Ready)
    provider.events.emit(ProviderEvents.Stale)
    await quiet()
    expect(heard).toHaveLength(3)
  })

  it('says that a provider with an error goes on answering', async () => {
    const provider = await inMemory(holding('old'))
    await watched()
    provider.events.emit(ProviderEvents.Error, { message: '503' })
    await quiet()
    expect(heard).toEqual([
      { kind: 'value', value: 'old' },
      stale('the provider of flag "orders-database" says that it has an error (503); the last value is kept'),
    ])
  })

  it('says that a value comes from a percentage rollout', async () => {
    const provider = await scripted(() => ({ value: 'old', reason: 'SPLIT' }))
    await watched()
    provider.events.emit(ProviderEvents.ConfigurationChanged)
    await quiet()
    expect(heard).toEqual([
      expect.objectContaining({ kind: 'warning', code: 'PERCENTAGE_ROLLOUT' }),
      { kind: 'value', value: 'old' },
    ])
  })
})

describe('the context', () => {
  const remember = async (): Promise<EvaluationContext[]> => {
    const contexts: EvaluationContext[] = []
    await scripted(({ context }) => {
      contexts.push({ ...context })
      return { value: 'old' }
    })
    return contexts
  }

  it('is that of the migration, or the one of the options', async () => {
    const contexts = await remember()
    await (await watched()).close()
    await watched({ context: { targetingKey: 'fleet', region: 'eu' } })
    expect(contexts).toEqual([
      { targetingKey: 'orders', kind: 'migration' },
      { targetingKey: 'fleet', region: 'eu' },
    ])
  })

  it('is not mixed with that of a request in which the flag is changed', async () => {
    const contexts = await remember()
    await watched()
    OpenFeature.setTransactionContextPropagator(new AsyncLocalStorageTransactionContextPropagator())
    const { events } = OpenFeature.getProvider(domain)
    OpenFeature.setTransactionContext({ plan: 'gold' }, () =>
      events?.emit(ProviderEvents.ConfigurationChanged),
    )
    await quiet()
    OpenFeature.setTransactionContextPropagator(NOOP_TRANSACTION_CONTEXT_PROPAGATOR)
    expect(contexts).toHaveLength(2)
    expect(contexts[1]).toEqual({ targetingKey: 'orders', kind: 'migration' })
  })
})

describe('lifetime', () => {
  const handlers = (): number =>
    Object.values(ProviderEvents).reduce((sum, event) => sum + client.getHandlers(event).length, 0)

  it('leaves no handler and no timer, says nothing after close, and does not close the provider', async () => {
    const provider = await inMemory(holding('old'))
    client.addHandler(ProviderEvents.Stale, () => undefined)
    const before = handlers()
    const closed = await watched({ pollMillis: 10 })
    expect(handlers()).toBe(before + 4)
    await closed.close()
    await closed.close()
    expect(handlers()).toBe(before)
    provider.putConfiguration(holding('live'))
    await quiet()
    expect(heard).toEqual([{ kind: 'value', value: 'old' }])
    expect(await client.getStringValue(FLAG, 'none')).toBe('live')
  })

  it('never keeps a process alive, not even while the provider is silent', async () => {
    const timers = (): number =>
      process.getActiveResourcesInfo().filter((resource) => resource === 'Timeout').length
    const gate = new EventEmitter()
    await scripted(async () => ({ value: await once(gate, 'open').then(() => 'live') }))
    const before = timers()
    const watching = watched()
    await quiet()
    // A timer of somebody else may have ended meanwhile.
    expect(timers()).toBeLessThanOrEqual(before)
    gate.emit('open')
    await watching
    expect(heard).toEqual([{ kind: 'value', value: 'live' }])
  })

  it('closes while its first evaluation is under way', async () => {
    const gate = new EventEmitter()
    await scripted(async () => ({ value: await once(gate, 'open').then(() => 'live') }))
    const early = openFeature(client, FLAG, { timeoutMillis: 3_600_000 })
    const watching = early.watch((report) => void heard.push(report), MIGRATION)
    await early.close()
    await watching
    gate.emit('open')
    await quiet()
    expect(heard).toEqual([])
  })
})

describe('options', () => {
  const good = (): OpenFeatureClient => client

  it.each([
    [null, FLAG, {}, 'client has no getStringDetails; expected a client of @openfeature/server-sdk'],
    [{ variation() {} }, FLAG, {}, 'client has no getStringDetails'],
    [undefined, '', {}, 'flagKey is ""; expected the key of a flag'],
    [undefined, 7, {}, 'flagKey is 7'],
    [undefined, FLAG, null, 'got null; expected an object with options'],
    [
      undefined,
      FLAG,
      { pollMilis: 5 },
      'pollMilis is no option; known are context, type, off, on, pollMillis',
    ],
    [undefined, FLAG, { pollMillis: 0 }, 'pollMillis is 0; expected a whole number of milliseconds'],
    [undefined, FLAG, { timeoutMillis: '5s' }, 'timeoutMillis is "5s"'],
    [undefined, FLAG, { type: 'number' }, 'type is "number"; expected "string", "object" or "boolean"'],
    [undefined, FLAG, { on: 'hold' }, 'on is "hold"; expected one of old, mirror'],
    [undefined, FLAG, { off: 'toString' }, 'off is "toString"'],
    [undefined, FLAG, { context: 'orders' }, 'context is "orders"; expected an object'],
    [undefined, FLAG, { context: ['hunter2'] }, 'context is an array; expected an object'],
  ])('refuses %o, %o, %o', (wrong, key, options, message) => {
    const make = (): Source =>
      openFeature(
        (wrong === undefined ? good() : wrong) as OpenFeatureClient,
        key as string,
        options as OpenFeatureOptions,
      )
    expect(make).toThrow(message)
    expect(make).toThrow(expect.toSatisfy((error) => isCutoverError(error, 'ERR_OPTION')))
  })
})

describe("with LaunchDarkly's provider", () => {
  let service: LaunchDarklyServer
  let provider: Provider | undefined

  beforeEach(async () => {
    service = await startLaunchDarkly()
  })

  afterEach(async () => {
    await source?.close()
    await provider?.onClose?.()
    await service.close()
  })

  function launchDarkly(): Provider {
    const made: Provider = new LaunchDarklyProvider('sdk-key', {
      ...service.uris,
      sendEvents: false,
      streamInitialReconnectDelay: 0.02,
      logger: silent,
    })
    provider = made
    return made
  }

  it.each<[string, unknown, string]>([
    ['string', 'shadow', 'shadow'],
    ['JSON', { phase: 'shadow' }, 'shadow'],
    ['boolean', true, 'new'],
    ['boolean', false, 'old'],
  ])('reads a %s flag: %j', async (_, flag, value) => {
    service.setValue(FLAG, flag)
    await OpenFeature.setProviderAndWait(domain, launchDarkly())
    await watched()
    expect(heard).toEqual([{ kind: 'value', value }])
  })

  it('evaluates for the migration as its own kind of context', async () => {
    const target = { contextKind: 'migration', values: ['orders'], variation: 1 }
    service.setFlag(FLAG, { variations: ['old', 'live'], contextTargets: [target] })
    await OpenFeature.setProviderAndWait(domain, launchDarkly())
    await watched()
    expect(heard).toEqual([{ kind: 'value', value: 'live' }])
  })

  it('hears changes, through a cut stream and an outage, and never a default', async () => {
    service.setValue(FLAG, 'old')
    await OpenFeature.setProviderAndWait(domain, launchDarkly())
    await watched()
    service.setValue(FLAG, 'mirror')
    await untilValue('mirror')
    service.stall()
    service.cut()
    service.setValue(FLAG, 'shadow')
    service.accept()
    await untilValue('shadow')
    service.setFlag(FLAG, { on: false, variations: ['old', 'live'], offVariation: null })
    await untilUnavailable(/has no value of its own \(OFF\)/)
    service.setFlag(FLAG, { variations: [7] })
    await untilUnavailable(/was of type string and now is no string and no object \(TYPE_MISMATCH\)/)
    service.remove(FLAG)
    await untilUnavailable(/FLAG_NOT_FOUND/)
    service.setValue(FLAG, 'live')
    await untilValue('live')
  })

  it('is unavailable until the service answers', async () => {
    service.setValue(FLAG, 'live')
    service.stall()
    OpenFeature.setProvider(domain, launchDarkly())
    await watched()
    expect(heard).toEqual([
      { kind: 'unavailable', reason: expect.stringContaining('PROVIDER_NOT_READY') as string },
    ])
    service.accept()
    await untilValue('live')
  })

  it('is unavailable when the service refuses the key', async () => {
    service.setValue(FLAG, 'live')
    service.refuse(401)
    await expect(OpenFeature.setProviderAndWait(domain, launchDarkly())).rejects.toThrow()
    await watched()
    expect(heard.filter((report) => report.kind !== 'warning')).toEqual([
      { kind: 'unavailable', reason: expect.stringMatching(/^flag "orders-database" cannot be evaluated/) },
    ])
  })
})
