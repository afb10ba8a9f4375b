// Checks the option `shadow` of createCutover and fills in its defaults.
import { CutoverError } from '../errors.js'
import { readTable, type Option, type OptionTable } from '../options.js'
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

const TABLE: OptionTable<ResolvedShadow> = {
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
  return readTable(TABLE, given ?? {}, `${where}shadow.`)
}
