// Checks the options of createCutover that are objects with options of their own, and the times that depend on each other.
import { DEFAULT_DUAL_WRITE, DEFAULT_TIMINGS } from '../control/migration.js'
import type { DualWriteSettings, Timings } from '../control/migration.js'
import { CutoverError } from '../errors.js'
import { CONFIRMED_MILLIS } from '../fleet/words.js'
import { readTable, splitTableName, type Option, type OptionTable } from '../options.js'
import type { CutoverOptions, ShadowOptions } from './options.js'

export type ResolvedShadow = {
  readonly [K in keyof ShadowOptions]-?: Exclude<ShadowOptions[K], undefined>
}

const number = (fallback: number, least: number, most: number, unit: string): Option<number> => ({
  default: fallback,
  expected: `a number${unit} from ${least} to ${most}`,
  accepts: (value) => typeof value === 'number' && value >= least && value <= most,
})

const whole = (fallback: number, least: number, most: number, unit = ''): Option<number> => ({
  default: fallback,
  expected: `a whole number${unit} from ${least} to ${most}`,
  accepts: (value) => Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most,
})

const SHADOW: OptionTable<ResolvedShadow> = {
  rate: number(0.01, 0, 1, ''),
  perMinute: number(1, 0, 60, ''),
  max: whole(2, 1, 20),
  maxBytes: whole(8 * 1024 * 1024, 1024, 256 * 1024 * 1024, ' of bytes'),
  timeoutMillis: whole(2_000, 1, 60_000, ' of milliseconds'),
  lagTimeoutMillis: whole(10_000, 1, 600_000, ' of milliseconds'),
  floatTolerance: number(0, 0, 0.1, ''),
  values: { default: false, expected: 'true or false', accepts: (value) => typeof value === 'boolean' },
}

/** Undefined where nothing is to be compared. Throws `ERR_OPTION`. */
export function readShadow(given: CutoverOptions['shadow'], where: string): ResolvedShadow | undefined {
  if (given === false) return undefined
  if (given !== undefined && (typeof given !== 'object' || given === null || Array.isArray(given)))
    throw new CutoverError(
      'ERR_OPTION',
      `${where}shadow is of type ${given === null ? 'null' : typeof given}; expected false or an object such as { rate: 0.01 }`,
    )
  return readTable(SHADOW, given ?? {}, `${where}shadow.`)
}

type Count = Exclude<keyof DualWriteSettings, 'await' | 'mapped'>

const count = (key: Count, least: number, most: number, what: string): Option<number> =>
  whole(DEFAULT_DUAL_WRITE[key], least, most, ` of ${what}`)

const MOST_TIMER_MILLIS = 2 ** 31 - 1

const isWildcard = (name: string): boolean => /^[^."*]+\.\*$/.test(name)

const isMapping = ([from, to]: [string, unknown]): boolean =>
  typeof to === 'string' &&
  (isWildcard(from)
    ? isWildcard(to)
    : splitTableName(from) !== undefined && splitTableName(to) !== undefined && !isWildcard(to))

const DUAL_WRITE: OptionTable<DualWriteSettings> = {
  await: {
    default: DEFAULT_DUAL_WRITE.await,
    expected: 'one of recorded, applied',
    accepts: (value) => value === 'recorded' || value === 'applied',
  },
  awaitTimeoutMillis: count('awaitTimeoutMillis', 1, 60_000, 'milliseconds'),
  mapped: {
    default: DEFAULT_DUAL_WRITE.mapped,
    expected: `an object of table names such as { 'public.orders': 'shop.orders' } or { 'public.*': 'shop.*' }`,
    accepts: (value) =>
      typeof value === 'object' &&
      value !== null &&
      !Array.isArray(value) &&
      Object.entries(value).every(isMapping) &&
      new Set(Object.values(value)).size === Object.keys(value).length,
  },
  batchRows: count('batchRows', 1, 50_000, 'rows'),
  batchBytes: count('batchBytes', 64 * 1024, 256 * 1024 * 1024, 'bytes'),
  maxRowsPerSecond: count('maxRowsPerSecond', 1, 1_000_000_000, 'rows'),
  backfillRowsPerSecond: count('backfillRowsPerSecond', 1, 1_000_000_000, 'rows'),
  alarmAgeMillis: count('alarmAgeMillis', 1, MOST_TIMER_MILLIS, 'milliseconds'),
  alarmRows: count('alarmRows', 1, 1_000_000_000_000, 'rows'),
  alarmBytes: count('alarmBytes', 1, Number.MAX_SAFE_INTEGER, 'bytes'),
}

/** Throws `ERR_OPTION`, also where the mirror is another one. */
export function readDualWrite(
  given: CutoverOptions['dualWrite'],
  mirror: 'replication' | 'dual-write' | 'none',
  where: string,
): DualWriteSettings {
  if (given !== undefined && mirror !== 'dual-write')
    throw new CutoverError(
      'ERR_OPTION',
      `${where}dualWrite is given and mirror is "${mirror}"; expected mirror: 'dual-write'. Leave dualWrite out with another mirror`,
    )
  return readTable(DUAL_WRITE, given ?? {}, `${where}dualWrite.`)
}

const TIMING_NAMES = Object.keys(DEFAULT_TIMINGS) as readonly (keyof Timings)[]

/** The steps that lie inside the hold, so that none may have more time than the whole. */
const INSIDE_THE_HOLD = [
  'drainTimeoutMillis',
  'fenceTimeoutMillis',
  'catchUpTimeoutMillis',
  'stopReadsTimeoutMillis',
  'decideTimeoutMillis',
] as const satisfies readonly (keyof Timings)[]

/**
 * A member that does not answer may serve this long after the fence, so that it is waited out and not failed by; with what
 * the barrier adds for the last statement of such a member, and for its own next look.
 */
const LEAST_STOP_READS_MILLIS = CONFIRMED_MILLIS + 100

/**
 * A step that was not given a time shrinks with the hold; one that was given more than the hold is a contradiction. A hold
 * too short to wait a silent member out is somebody's promise to callers, and only costs an attempt; a time for that one
 * step that is too short would cost it for nothing. `asksFleet`: in coordinated mode, with a barrier.
 */
export function readTimings(
  given: Timings,
  input: CutoverOptions,
  where: string,
  asksFleet: boolean,
): Timings {
  const { stopReadsTimeoutMillis } = input
  if (asksFleet && stopReadsTimeoutMillis !== undefined && stopReadsTimeoutMillis < LEAST_STOP_READS_MILLIS)
    throw new CutoverError(
      'ERR_OPTION',
      `${where}stopReadsTimeoutMillis is ${stopReadsTimeoutMillis}; expected at least ${LEAST_STOP_READS_MILLIS} with members: 'barrier', since a process that does not answer may read for ${CONFIRMED_MILLIS} ms more and has to be waited out. Leave it out: a shorter holdTimeoutMillis bounds it too`,
    )
  const whole = Object.fromEntries(TIMING_NAMES.map((key) => [key, given[key]])) as {
    -readonly [K in keyof Timings]: number
  }
  for (const key of INSIDE_THE_HOLD) {
    if (whole[key] <= whole.holdTimeoutMillis) continue
    if (input[key] !== undefined)
      throw new CutoverError(
        'ERR_OPTION',
        `${where}${key} is ${whole[key]}; expected at most holdTimeoutMillis, ${whole.holdTimeoutMillis}, since the hold contains this step`,
      )
    whole[key] = whole.holdTimeoutMillis
  }
  return whole
}
