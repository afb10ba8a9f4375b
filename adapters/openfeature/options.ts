// What `openFeature` accepts, option by option, with defaults and checks side by side.
import type { Phase } from '../../src/index.js'
import { millisOption, phaseOption, readTable, refusal, shown, type OptionTable } from '../options.js'
import type { OpenFeatureClient, OpenFeatureContext } from './client.js'

/** The types of flags that can hold a wish. */
export type FlagType = 'string' | 'object' | 'boolean'

export interface OpenFeatureOptions {
  /**
   * The context that the flag is evaluated for, in place of `{ targetingKey: <name of the migration>, kind: 'migration' }`.
   * It must be the same in every process. The client lays it over the contexts of the API and of the client, which may
   * therefore not differ between processes either where a rule of the flag looks at them.
   */
  readonly context?: OpenFeatureContext | undefined
  /**
   * The type of the flag. By default it is found out: string, then object, then boolean, by the provider's
   * `TYPE_MISMATCH`, and a flag that has named phases is not taken for a boolean later. Name it where the provider makes
   * any type of any flag, as those do that take a flag that is switched on for `true`, or answers with the default.
   */
  readonly type?: FlagType | undefined
  /** The phase that a boolean flag wishes with `false`; default `old`. */
  readonly off?: Phase | undefined
  /** The phase that a boolean flag wishes with `true`; default `new`. */
  readonly on?: Phase | undefined
  /**
   * How often the flag is evaluated besides at each event, since not every provider has events. Milliseconds; default
   * 10,000.
   */
  readonly pollMillis?: number | undefined
  /** How long one look at the flag may take before it is reported as unavailable. Milliseconds; default 5,000. */
  readonly timeoutMillis?: number | undefined
}

export interface CheckedOptions {
  readonly context: OpenFeatureContext | undefined
  readonly type: FlagType | undefined
  readonly off: Phase
  readonly on: Phase
  readonly pollMillis: number
  readonly timeoutMillis: number
}

const TABLE: OptionTable<CheckedOptions> = {
  context: {
    default: undefined,
    expected: 'an object, such as { targetingKey: "orders" }',
    accepts: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  },
  type: {
    default: undefined,
    expected: '"string", "object" or "boolean"',
    accepts: (value) => value === 'string' || value === 'object' || value === 'boolean',
  },
  off: phaseOption('old'),
  on: phaseOption('new'),
  pollMillis: millisOption(10_000),
  timeoutMillis: millisOption(5_000),
}

const WHERE = 'openFeature'

const METHODS = [
  'getStringDetails',
  'getBooleanDetails',
  'getObjectDetails',
  'addHandler',
  'removeHandler',
] as const satisfies readonly (keyof OpenFeatureClient)[]

/** The options with their defaults. Throws `ERR_OPTION` for the first argument or option that cannot be used. */
export function readOptions(client: unknown, flagKey: unknown, options: unknown): CheckedOptions {
  const missing = METHODS.find((method) => typeof Object(client)[method] !== 'function')
  if (missing !== undefined)
    throw refusal(
      WHERE,
      `client has no ${missing}`,
      'a client of @openfeature/server-sdk, from OpenFeature.getClient()',
    )
  if (typeof flagKey !== 'string' || flagKey === '')
    throw refusal(WHERE, `flagKey is ${shown(flagKey)}`, 'the key of a flag')
  return readTable(WHERE, TABLE, options)
}
