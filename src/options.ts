// Reads an options object against a table of its keys: unknown keys, wrong values and missing ones are refused by name.
import { CutoverError } from './errors.js'

interface Check {
  /** Finishes the sentence "expected …". */
  readonly expected: string
  readonly accepts: (value: unknown) => boolean
  /** More exact advice for mistakes that are known to be made. */
  readonly advice?: (value: unknown) => string | undefined
  /** The value may hold a password: messages name its shape only. */
  readonly secret?: true
}

/** One row of an options table: type, default and check side by side. `undefined` always means the default. */
export type Option<T> = Check & ({ readonly required: true } | { readonly default: T })

/** One row for each key of `T`. */
export type OptionTable<T> = { readonly [K in keyof T]-?: Option<T[K]> }

/**
 * The values of all keys of the table, with defaults filled in. Throws `ERR_OPTION` at the first key that is unknown,
 * missing or refused. `where` precedes the key in messages, such as `createCutover: `.
 */
export function readTable<T extends object>(table: OptionTable<T>, input: unknown, where: string): T {
  if (typeof input !== 'object' || input === null || Array.isArray(input))
    throw new CutoverError('ERR_OPTION', `${where} got ${shapeOf(input)}; expected an object with options`)
  for (const key of Object.keys(input)) if (!Object.hasOwn(table, key)) throw unknownKey(table, key, where)
  const rows = Object.entries<Option<unknown>>(table)
  return Object.fromEntries(
    rows.map(([key, row]) => [key, readOne(row, (input as Record<string, unknown>)[key], `${where}${key}`)]),
  ) as T
}

function readOne(row: Option<unknown>, value: unknown, path: string): unknown {
  if (value === undefined && 'default' in row) return row.default
  if (value !== undefined && row.accepts(value)) return value
  const got = value === undefined ? 'is missing' : `is ${row.secret ? shapeOf(value) : printed(value)}`
  const advice = row.advice?.(value)
  throw new CutoverError(
    'ERR_OPTION',
    `${path} ${got}; expected ${row.expected}${advice === undefined ? '' : `. ${advice}`}`,
  )
}

function unknownKey(table: object, key: string, where: string): CutoverError {
  const near = nearest(key, Object.keys(table))
  return new CutoverError(
    'ERR_OPTION',
    `${where}${key} is no option; ${near === undefined ? `known are ${Object.keys(table).join(', ')}` : `did you mean ${near}?`}`,
  )
}

/** What kind of thing a value is, without a character of it. */
export function shapeOf(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'string') return value === '' ? 'an empty string' : 'a string'
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (typeof value !== 'object') return `a ${typeof value}`
  if (Object.keys(value).length === 0 && Object.getPrototypeOf(value) === Object.prototype)
    return 'an empty object'
  const name = constructorName(value)
  return name === '' || name === 'Object' ? 'an object' : `an object of class ${name}`
}

/** The name of a value's class; empty where there is none. */
export function constructorName(value: object): string {
  const made: unknown = value.constructor
  return typeof made === 'function' ? made.name : ''
}

function printed(value: unknown): string {
  if (typeof value === 'string') return `"${value.length > 60 ? `${value.slice(0, 60)}…` : value}"`
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
    return String(value)
  return shapeOf(value)
}

/** The known word that was most likely meant; undefined when none is near enough to be worth a guess. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((candidate) => ({ candidate, away: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .toSorted((a, b) => a.away - b.away)[0]
  return ranked && ranked.away <= Math.max(2, Math.floor(word.length / 3)) ? ranked.candidate : undefined
}

/** Insertions, deletions and replacements that make one word of the other. */
function distance(a: string, b: string): number {
  let above = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row++) {
    const line = [row]
    for (let column = 1; column <= b.length; column++) {
      const replaced = (above[column - 1] ?? 0) + (a[row - 1] === b[column - 1] ? 0 : 1)
      line.push(Math.min(replaced, (above[column] ?? 0) + 1, (line[column - 1] ?? 0) + 1))
    }
    above = line
  }
  return above[b.length] ?? 0
}

/** `schema.table`, exactly as in the catalog; quoted parts may contain a dot. Undefined for anything else. */
export function splitTableName(text: string): { readonly schema: string; readonly name: string } | undefined {
  const match = /^(?:"((?:[^"]|"")+)"|([^".]+))\.(?:"((?:[^"]|"")+)"|([^".]+))$/.exec(text)
  const schema = match?.[1]?.replaceAll('""', '"') ?? match?.[2]
  const name = match?.[3]?.replaceAll('""', '"') ?? match?.[4]
  return schema === undefined || name === undefined ? undefined : { schema, name }
}
