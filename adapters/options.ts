// What the adapters share: reading their options, refusing what cannot be meant, and what the value of a flag wishes.
import { CutoverError, PHASES, type Cutover, type Phase } from '../src/index.js'

/** One option: default and check side by side. `undefined` always means the default. */
interface OptionRow<T> {
  readonly default: T
  /** Finishes the sentence "expected …". */
  readonly expected: string
  readonly accepts: (value: unknown) => boolean
}

/** One row for each key of `T`. */
export type OptionTable<T> = { readonly [K in keyof T]-?: OptionRow<T[K]> }

/** What both kinds of flags make of `true` and `false`. */
export const phaseOption = (fallback: Phase): OptionRow<Phase> => ({
  default: fallback,
  expected: `one of ${Object.keys(PHASES).join(', ')}`,
  accepts: (value) => typeof value === 'string' && Object.hasOwn(PHASES, value),
})

export const millisOption = (fallback: number): OptionRow<number> => ({
  default: fallback,
  expected: 'a whole number of milliseconds from 10 to 3,600,000',
  accepts: (value) => Number.isSafeInteger(value) && Number(value) >= 10 && Number(value) <= 3_600_000,
})

/**
 * The values of all keys of the table, with defaults filled in. Throws `ERR_OPTION` at the first key that is unknown or
 * refused. `where` is the function that was called.
 */
export function readTable<T extends object>(where: string, table: OptionTable<T>, input: unknown): T {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw refusal(where, `got ${shown(input)}`, 'an object with options')
  const given = input as Readonly<Record<string, unknown>>
  for (const key of Object.keys(given))
    if (!Object.hasOwn(table, key))
      throw new CutoverError(
        'ERR_OPTION',
        `${where}: ${key} is no option; known are ${Object.keys(table).join(', ')}`,
      )
  const read = Object.entries<OptionRow<unknown>>(table).map(([key, row]) => {
    const value = given[key]
    if (value === undefined) return [key, row.default]
    if (row.accepts(value)) return [key, value]
    throw refusal(where, `${key} is ${shown(value)}`, row.expected)
  })
  return Object.fromEntries(read) as T
}

/** An `ERR_OPTION` that says what was got and what was expected. */
export const refusal = (where: string, got: string, expected: string): CutoverError =>
  new CutoverError('ERR_OPTION', `${where}: ${got}; expected ${expected}`)

/** Throws `ERR_OPTION` for anything but what `createCutover` returns, such as its pool or the options of one. */
export function checkCutover(where: string, cutover: unknown): asserts cutover is Cutover {
  const isOne =
    typeof cutover === 'object' &&
    cutover !== null &&
    ['createPool', 'pin'].every((method) => typeof Reflect.get(cutover, method) === 'function')
  if (!isOne)
    throw refusal(
      where,
      `the cutover is ${shown(cutover)}`,
      'what createCutover() returns, and neither its pool nor the configuration of one',
    )
}

/** A value as it may be printed: what may hold more than a word is named by its type alone. */
export function shown(value: unknown): string {
  // The address of a database has a password in it.
  if (typeof value === 'string')
    return /[:@=]/.test(value) ? 'a text that may hold a password' : `"${value.slice(0, 60)}"`
  if (typeof value === 'number' || typeof value === 'boolean' || value === null || value === undefined)
    return String(value)
  return Array.isArray(value) ? 'an array' : `of type ${typeof value}`
}

/** What the value of a flag asks for. Of an object without a phase it is `otherwise`, which a refusal can quote. */
export function wishOf(
  value: unknown,
  { off, on }: { readonly off: Phase; readonly on: Phase },
  otherwise: string,
): unknown {
  if (typeof value === 'boolean') return value ? on : off
  if (typeof value !== 'object' || value === null) return value
  return 'phase' in value && typeof value.phase === 'string' ? value.phase : otherwise
}
