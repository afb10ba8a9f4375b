// Both generations of LaunchDarkly's real SDK, set up against the service on loopback: silent, and quick to connect again.
import * as sdk9 from '@launchdarkly/node-server-sdk'
import sdk7 from 'launchdarkly-node-server-sdk'
import type { LaunchDarklyClient } from '../../adapters/launchdarkly.js'
import type { LaunchDarklyServer } from './launchdarkly-server.js'

export interface SdkOptions {
  readonly offline?: boolean
  readonly stream?: boolean
  readonly sendEvents?: boolean
  readonly logger?: Record<'error' | 'warn' | 'info' | 'debug', (...words: unknown[]) => void>
}

/** A client as the application holds it. */
export type SdkClient = LaunchDarklyClient & {
  close(): void
  flush(): Promise<void>
  once(event: string, listener: () => void): unknown
  listenerCount(event: string): number
}

/** Without the listener for errors that `events.once` adds, which would change where the SDKs report them. */
export function emitted(client: SdkClient, event: string): Promise<void> {
  return new Promise((resolve) => client.once(event, () => resolve()))
}

const SHARED = { streamInitialReconnectDelay: 0.02, diagnosticOptOut: true, sendEvents: false }

interface Sdk {
  readonly name: string
  connect(server: LaunchDarklyServer, options?: SdkOptions): SdkClient
}

/** Each takes the real client for the adapter's own type, so that the compiler proves that they fit. */
export const SDK_9: Sdk = {
  name: '@launchdarkly/node-server-sdk 9',
  connect: ({ uris }, options) =>
    sdk9.init('sdk-key', { ...SHARED, ...uris, logger: sdk9.basicLogger({ level: 'none' }), ...options }),
}

export const SDK_7: Sdk = {
  name: 'launchdarkly-node-server-sdk 7',
  connect: ({ uris }, options) =>
    sdk7.init('sdk-key', { ...SHARED, ...uris, logger: sdk7.basicLogger({ level: 'none' }), ...options }),
}

export const SDKS: readonly Sdk[] = [SDK_9, SDK_7]
