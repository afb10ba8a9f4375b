// The options of the LaunchDarkly source: type, default and check of each.
import { CutoverError, PHASES, type Phase } from '../../src/index.js'
import type { LaunchDarklyContext } from './client.js'

export interface LaunchDarklyOptions {
  /**
   * Whom the flag is evaluated for, with at least a `key`. It must be the same in every process: what differs between
   * them, such as a host name, could send them to different phases. Default `{ kind: 'migration', key: <name of the
   * migration> }`.
   */
  readonly context?: LaunchDarklyContext | undefined
  /** The phase that a boolean flag asks for with `false`. Default `old`. */
  readonly off?: Phase | undefined
  /** The phase that a boolean flag asks for with `true`. Default `new`. */
  readonly on?: Phase | undefined
  /**
   * How often the flag is evaluated besides at each change that the client reports. It is an evaluation in memory, for
   * clients whose events are lost. Milliseconds from 10 to 3,600,000; default 10,000.
   */
  readonly pollMillis?: number | undefined
  /**
   * How many calls a second each process measures at most for LaunchDarkly's charts of a migration flag. From 0, which
   * turns it off, to 100; default 1. Each becomes one analytics event of about 500 bytes.
   */
  readonly samplesPerSecond?: number | undefined
}

type Settings = Readonly<{
  context: LaunchDarklyContext | undefined
  off: Phase
  on: Phase
  pollMillis: number
  samplesPerSecond: number
}>

interface Row<T> {
  readonly default: T
  readonly expected: string
  readonly accepts: (value: unknown) => boolean
}

const phase = (fallback: Phase): Row<Phase> => ({
  default: fallback,
  expected: `one of ${Object.keys(PHASES).join(', ')}`,
  accepts: (value) => typeof value === 'string' && Object.hasOwn(PHASES, value),
})

const TABLE: { readonly [K in keyof Settings]: Row<Settings[K]> } = {
  context: {
    default: undefined,
    expected: 'an object with a key that is a string and not empty',
    accepts: (value) =>
      typeof value === 'object' &&
      value !== null &&
      'key' in value &&
      typeof value.key === 'string' &&
      value.key !== '',
  },
  off: phase('old'),
  on: phase('new'),
  pollMillis: {
    default: 10_000,
    expected: 'a whole number of milliseconds from 10 to 3,600,000',
    accepts: (value) => Number.isSafeInteger(value) && Number(value) >= 10 && Number(value) <= 3_600_000,
  },
  samplesPerSecond: {
    default: 1,
    expected: 'a number from 0 to 100',
    accepts: (value) => typeof value === 'number' && value >= 0 && value <= 100,
  },
}

/** Throws `ERR_OPTION` at the first key that is unknown or has a value that is refused. */
export function readOptions(options: LaunchDarklyOptions): Settings {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new CutoverError(
      'ERR_OPTION',
      `launchDarkly: got ${shown(options)}; expected an object with options`,
    )
  const given: Readonly<Record<string, unknown>> = { ...options }
  for (const key of Object.keys(given))
    if (!Object.hasOwn(TABLE, key))
      throw new CutoverError(
        'ERR_OPTION',
        `launchDarkly: ${key} is no option; known are ${Object.keys(TABLE).join(', ')}`,
      )
  const read = Object.entries<Row<unknown>>(TABLE).map(([key, row]) => {
    const value = given[key]
    if (value === undefined) return [key, row.default]
    if (row.accepts(value)) return [key, value]
    throw new CutoverError('ERR_OPTION', `launchDarkly: ${key} is ${shown(value)}; expected ${row.expected}`)
  })
  return Object.fromEntries(read) as Settings
}

/** Values that may hold more than a word are named by their type alone. */
function shown(value: unknown): string {
  if (typeof value === 'string') return `"${value.slice(0, 60)}"`
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value)
  return Array.isArray(value) ? 'an array' : `of type ${typeof value}`
}
