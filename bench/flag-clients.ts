// Both LaunchDarkly SDKs as an application has them, connected to a flag service on loopback.
import * as generation9 from '@launchdarkly/node-server-sdk'
import generation7 from 'launchdarkly-node-server-sdk'
import type { LaunchDarklyClient } from '../adapters/launchdarkly.js'
import { startLaunchDarkly, type LaunchDarklyServer } from '../test/support/launchdarkly-server.js'

const SDK_KEY = 'sdk-bench'
const READY_WITHIN_SECONDS = 10

/** What the two have in common and the benchmarks use. */
export interface FlagClient extends LaunchDarklyClient {
  variation(key: string, context: typeof CONTEXT, otherwise: unknown): Promise<unknown>
  once(event: string, listener: () => void): unknown
}

export const CONTEXT = { kind: 'migration', key: 'bench' }

export interface FlagClients {
  readonly service: LaunchDarklyServer
  readonly launchDarkly9: FlagClient
  readonly launchDarkly7: FlagClient
  close(): Promise<void>
}

/** One service, and one client of each generation that has read this flag from it. */
export async function startFlagClients(key: string, value: string): Promise<FlagClients> {
  const service = await startLaunchDarkly()
  service.setValue(key, value)
  const nine = generation9.init(SDK_KEY, {
    ...service.uris,
    logger: generation9.basicLogger({ level: 'none' }),
  })
  const seven = generation7.init(SDK_KEY, {
    ...service.uris,
    logger: generation7.basicLogger({ level: 'none' }),
  })
  const close = async (): Promise<void> => {
    nine.close()
    seven.close()
    await service.close()
  }
  try {
    await nine.waitForInitialization({ timeout: READY_WITHIN_SECONDS })
    await seven.waitForInitialization()
  } catch (error) {
    await close()
    throw error
  }
  return { service, launchDarkly9: nine, launchDarkly7: seven, close }
}
