// What `openFeature` accepts, option by option, with defaults and checks side by side.
import { CutoverError, PHASES, type Phase } from '../../src/index.js'
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

interface Check {
  readonly default: unknown
  readonly expected: string
  readonly accepts: (value: unknown) => boolean
}

const phase = {
  expected: `one of ${Object.keys(PHASES).join(', ')}`,
  accepts: (value: unknown) => typeof value === 'string' && Object.hasOwn(PHASES, value),
}

const millis = {
  expected: 'a whole number of milliseconds from 10 to 3,600,000',
  accepts: (value: unknown) =>
    Number.isSafeInteger(value) && Number(value) >= 10 && Number(value) <= 3_600_000,
}

const TABLE: { readonly [K in keyof CheckedOptions]: Check } = {
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
  off: { ...phase, default: 'old' },
  on: { ...phase, default: 'new' },
  pollMillis: { ...millis, default: 10_000 },
  timeoutMillis: { ...millis, default: 5_000 },
}

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
      `client has no ${missing}`,
      'a client of @openfeature/server-sdk, from OpenFeature.getClient()',
    )
  if (typeof flagKey !== 'string' || flagKey === '')
    throw refusal(`flagKey is ${printed(flagKey)}`, 'the key of a flag')
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw refusal(`options is ${printed(options)}`, 'an object with options')
  for (const key of Object.keys(options))
    if (!Object.hasOwn(TABLE, key)) throw refusal(`${key} is no option`, Object.keys(TABLE).join(', '))
  const given = options as Readonly<Record<string, unknown>>
  return Object.fromEntries(
    Object.entries(TABLE).map(([key, check]) => {
      const value = given[key]
      if (value === undefined) return [key, check.default]
      if (!check.accepts(value)) throw refusal(`${key} is ${printed(value)}`, check.expected)
      return [key, value]
    }),
  ) as unknown as CheckedOptions
}

const refusal = (got: string, expected: string): CutoverError =>
  new CutoverError('ERR_OPTION', `openFeature: ${got}; expected ${expected}`)

/** Never what is inside an object: a context may hold what is not for a log. */
function printed(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 60))
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  return typeof value === 'function' ? 'a function' : String(value)
}
