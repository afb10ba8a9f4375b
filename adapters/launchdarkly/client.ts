// What is asked of a LaunchDarkly client, told by its shape, so that both generations of the SDK fit and none is loaded.
import { CutoverError } from '../../src/index.js'

/** Whom a flag is evaluated for. One and the same in every process, or they could be told different things. */
export interface LaunchDarklyContext {
  readonly key: string
  readonly kind?: string
  readonly [attribute: string]: unknown
}

export interface LaunchDarklyReason {
  readonly kind: string
  readonly errorKind?: string
  readonly ruleIndex?: number
  readonly ruleId?: string
}

export interface LaunchDarklyDetail {
  readonly value: unknown
  readonly variationIndex?: number | null
  readonly reason: LaunchDarklyReason
}

/** One migration operation as the SDK describes it to LaunchDarkly. */
export interface LaunchDarklyMigrationEvent {
  readonly operation: 'read' | 'write'
  readonly creationDate: number
  readonly evaluation: { readonly reason: LaunchDarklyReason }
  readonly measurements: readonly object[]
}

export interface LaunchDarklyTracker {
  op(operation: 'read' | 'write'): void
  invoked(origin: 'old' | 'new'): void
  consistency(check: () => boolean): void
  createEvent(): LaunchDarklyMigrationEvent | undefined
}

/**
 * A client of `@launchdarkly/node-server-sdk` 9 or of `launchdarkly-node-server-sdk` 7. The last two methods are there
 * from version 9 on; without them nothing is measured for LaunchDarkly's charts.
 */
export interface LaunchDarklyClient {
  initialized(): boolean
  isOffline(): boolean
  variationDetail(key: string, context: LaunchDarklyContext, defaultValue: null): Promise<LaunchDarklyDetail>
  allFlagsState(
    context: LaunchDarklyContext,
    options: { withReasons: boolean },
  ): Promise<{ readonly valid: boolean; toJSON(): object }>
  on(event: string, listener: (...args: unknown[]) => void): unknown
  off(event: string, listener: (...args: unknown[]) => void): unknown
  migrationVariation?(
    key: string,
    context: LaunchDarklyContext,
    defaultStage: string,
  ): Promise<{ readonly tracker: LaunchDarklyTracker }>
  trackMigration?(event: LaunchDarklyMigrationEvent): void
}

const METHODS = [
  'initialized',
  'isOffline',
  'variationDetail',
  'allFlagsState',
  'on',
  'off',
] as const satisfies readonly (keyof LaunchDarklyClient)[]

/** Throws `ERR_OPTION` for anything that cannot be asked for a flag, and says what to pass. */
export function checkClient(client: unknown): asserts client is LaunchDarklyClient {
  const missing = METHODS.filter(
    (method) =>
      typeof client !== 'object' ||
      client === null ||
      typeof (client as Record<string, unknown>)[method] !== 'function',
  )
  if (missing.length === 0) return
  throw new CutoverError(
    'ERR_OPTION',
    `launchDarkly: the client has no method ${missing.join(', ')}; expected what init(sdkKey) of ` +
      '@launchdarkly/node-server-sdk or of launchdarkly-node-server-sdk returns',
  )
}
