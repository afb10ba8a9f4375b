// The options of the LaunchDarkly source: type, default and check of each.
import type { Phase } from '../../src/index.js'
import { millisOption, phaseOption, readTable, type OptionTable } from '../options.js'
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

interface Settings {
  readonly context: LaunchDarklyContext | undefined
  readonly off: Phase
  readonly on: Phase
  readonly pollMillis: number
  readonly samplesPerSecond: number
}

const TABLE: OptionTable<Settings> = {
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
  off: phaseOption('old'),
  on: phaseOption('new'),
  pollMillis: millisOption(10_000),
  samplesPerSecond: {
    default: 1,
    expected: 'a number from 0 to 100',
    accepts: (value) => typeof value === 'number' && value >= 0 && value <= 100,
  },
}

/** Throws `ERR_OPTION` at the first key that is unknown or has a value that is refused. */
export const readOptions = (options: unknown): Settings => readTable('launchDarkly', TABLE, options)
