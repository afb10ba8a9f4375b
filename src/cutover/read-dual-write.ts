// Checks the option `dualWrite` of createCutover and fills in its defaults.
import { DEFAULT_DUAL_WRITE, type DualWriteSettings } from '../control/migration.js'
import { CutoverError } from '../errors.js'
import { readTable, type Option, type OptionTable } from '../options.js'
import { splitTableName } from '../phase/table-name.js'
import type { CutoverOptions } from './options.js'

type Count = Exclude<keyof DualWriteSettings, 'await' | 'mapped'>

const whole = (key: Count, least: number, most: number, what: string): Option<number> => ({
  default: DEFAULT_DUAL_WRITE[key],
  expected: `a whole number of ${what} from ${least} to ${most}`,
  accepts: (value) => Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most,
})

const MOST_TIMER_MILLIS = 2 ** 31 - 1

const isWildcard = (name: string): boolean => /^[^."*]+\.\*$/.test(name)

const isMapping = ([from, to]: [string, unknown]): boolean =>
  typeof to === 'string' &&
  (isWildcard(from)
    ? isWildcard(to)
    : splitTableName(from) !== undefined && splitTableName(to) !== undefined && !isWildcard(to))

const TABLE: OptionTable<DualWriteSettings> = {
  await: {
    default: DEFAULT_DUAL_WRITE.await,
    expected: 'one of recorded, applied',
    accepts: (value) => value === 'recorded' || value === 'applied',
  },
  awaitTimeoutMillis: whole('awaitTimeoutMillis', 1, 60_000, 'milliseconds'),
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
  batchRows: whole('batchRows', 1, 50_000, 'rows'),
  batchBytes: whole('batchBytes', 64 * 1024, 256 * 1024 * 1024, 'bytes'),
  maxRowsPerSecond: whole('maxRowsPerSecond', 1, 1_000_000_000, 'rows'),
  backfillRowsPerSecond: whole('backfillRowsPerSecond', 1, 1_000_000_000, 'rows'),
  alarmAgeMillis: whole('alarmAgeMillis', 1, MOST_TIMER_MILLIS, 'milliseconds'),
  alarmRows: whole('alarmRows', 1, 1_000_000_000_000, 'rows'),
  alarmBytes: whole('alarmBytes', 1, Number.MAX_SAFE_INTEGER, 'bytes'),
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
  return readTable(TABLE, given ?? {}, `${where}dualWrite.`)
}
