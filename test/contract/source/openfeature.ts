// OpenFeature as subjects of the contract: the SDK's own provider in memory, and LaunchDarkly's over a service on loopback.
import { LaunchDarklyProvider } from '@launchdarkly/openfeature-node-server'
import {
  ErrorCode,
  InMemoryProvider,
  OpenFeature,
  ProviderEvents,
  type Client,
} from '@openfeature/server-sdk'
import { openFeature } from '../../../adapters/openfeature.js'
import { startLaunchDarkly } from '../../support/launchdarkly-server.js'
import type { SourceSubject } from './subject.js'

const FLAG = 'orders-database'
const quiet = { error() {}, warn() {}, info() {}, debug() {} }

/** An hour: what the contract hears must come from the provider's events. */
const pollMillis = 3_600_000

/** A boolean is garbage here, since the flag has named a phase before. */
const garbage = ['lvie', '', 7, true, false, null, { stage: 'live' }, { phase: 7 }, ['live']]

const handlersOf = (client: Client): number =>
  Object.values(ProviderEvents).reduce((sum, event) => sum + client.getHandlers(event).length, 0)

/** Each run has a name of its own, since the API is one for the whole process. */
let runs = 0

const inMemory: SourceSubject = {
  name: "OpenFeature, the SDK's provider in memory",
  garbage,
  noticesOutage: true,
  async start({ silent = false } = {}) {
    const holding = (value: unknown) => ({
      [FLAG]: { variants: { it: value as string }, defaultVariant: 'it', disabled: false },
    })
    const domain = `contract in memory ${++runs}`
    const provider = new InMemoryProvider(silent ? {} : holding('old'))
    OpenFeature.setLogger(quiet)
    await OpenFeature.setProviderAndWait(domain, provider)
    const client = OpenFeature.getClient(domain)
    return {
      source: openFeature(client, FLAG, { pollMillis }),
      another: () => openFeature(client, FLAG, { pollMillis }),
      held: () => handlersOf(client),
      say: (value) => provider.putConfiguration(holding(value)),
      // The SDK answers for a provider in this state by itself, with the caller's default.
      outage: () =>
        provider.events.emit(ProviderEvents.Error, {
          errorCode: ErrorCode.PROVIDER_FATAL,
          message: 'the service cannot be reached',
        }),
      back: (value) => {
        provider.putConfiguration(holding(value))
        provider.events.emit(ProviderEvents.Ready)
      },
      forget: () => provider.putConfiguration({}),
      stop: () => OpenFeature.clearProviders(),
    }
  },
}

const launchDarkly: SourceSubject = {
  name: "OpenFeature, LaunchDarkly's provider",
  garbage,
  noticesOutage: false,
  async start({ silent = false } = {}) {
    const service = await startLaunchDarkly()
    if (!silent) service.setValue(FLAG, 'old')
    const domain = `contract LaunchDarkly ${++runs}`
    const provider = new LaunchDarklyProvider('sdk-key', {
      ...service.uris,
      sendEvents: false,
      streamInitialReconnectDelay: 0.02,
      logger: quiet,
    })
    await OpenFeature.setProviderAndWait(domain, provider)
    const client = OpenFeature.getClient(domain)
    return {
      source: openFeature(client, FLAG, { pollMillis }),
      another: () => openFeature(client, FLAG, { pollMillis }),
      held: () => handlersOf(client),
      say: (value) => service.setValue(FLAG, value),
      outage: () => {
        service.stall()
        service.cut()
      },
      back: (value) => {
        service.setValue(FLAG, value)
        service.accept()
      },
      forget: () => service.remove(FLAG),
      async stop() {
        await OpenFeature.clearProviders()
        await service.close()
      },
    }
  },
}

export const openFeatureSubjects: readonly SourceSubject[] = [inMemory, launchDarkly]
