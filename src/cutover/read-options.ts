// Checks the options of createCutover against their table and fills in the defaults.
import { resolve } from 'node:path'
import { pg } from '../pool/pg-internals.js'
import { DEFAULT_TIMINGS, type DualWriteSettings, type Timings } from '../control/migration.js'
import type { ControlOptions, CutoverOptions } from './options.js'
import { readDualWrite, readShadow, readTimings, type ResolvedShadow } from './read-nested-options.js'
import { CutoverError } from '../errors.js'
import { constructorName, readTable, type Option, type OptionTable } from '../options.js'
import { PHASE_NAMES, type Phase, type Side } from '../phase/phases.js'
import type { Source } from '../phase/source.js'

/** The options that stay undefined when they are not given. */
type Undecided = 'mirror' | 'tables' | 'fallback' | 'stateFile' | 'heldReadsMax' | 'shadow' | 'dualWrite'

type Filled = {
  readonly [K in keyof CutoverOptions]-?: K extends Undecided
    ? CutoverOptions[K]
    : Exclude<CutoverOptions[K], undefined>
}

/** The connections of coordinated mode as they were given; undefined where the pool's own are to be used. */
export interface ResolvedControl {
  readonly connections: Readonly<Record<Side, pg.ClientConfig | undefined>>
  readonly reachedBy: Readonly<Record<Side, string | undefined>>
}

/** The options after checking, with nothing left to default. */
export interface ResolvedOptions {
  readonly name: string
  readonly pools: Readonly<Record<Side, pg.PoolConfig | pg.Pool>>
  readonly source: Source
  readonly mirror: 'replication' | 'dual-write' | 'none'
  readonly dualWrite: DualWriteSettings
  readonly control: ResolvedControl | undefined
  readonly tables: readonly string[] | undefined
  readonly fallback: Phase | undefined
  /** As an absolute path. */
  readonly stateFile: string | undefined
  readonly autoAdvance: boolean
  /** Undefined: as many as the pool's own `max`, at most 10. */
  readonly heldReadsMax: number | undefined
  /** Undefined: nothing is compared. */
  readonly shadow: ResolvedShadow | undefined
  readonly onDrainTimeout: 'abort' | 'cancel'
  readonly members: 'barrier' | 'fence-only'
  readonly attempts: number
  readonly timings: Timings
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isWholeFrom =
  (least: number, most: number) =>
  (value: unknown): boolean =>
    Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most

const oneOf = <T extends string, D extends T | undefined>(
  words: readonly T[],
  fallback: D,
): Option<T | D> => ({
  default: fallback,
  expected: `one of ${words.join(', ')}`,
  accepts: (value) => words.some((word) => word === value),
})

const yesOrNo: Option<boolean> = {
  default: false,
  expected: 'true or false',
  accepts: (value) => typeof value === 'boolean',
}

// Not toLocaleString: its first call loads the locale data, half of what importing this package would take.
const grouped = (whole: number): string => String(whole).replace(/\B(?=(\d{3})+$)/g, ',')

// A timer of Node ends at once beyond this.
const LONGEST_TIMER_MILLIS = 2 ** 31 - 1

const millis = (key: keyof Timings, most = LONGEST_TIMER_MILLIS): Option<number> => ({
  default: DEFAULT_TIMINGS[key],
  expected: `a whole number of milliseconds from 1 to ${grouped(most)}`,
  accepts: isWholeFrom(1, most),
})

const MOST_HOLD_MILLIS = 10_000

const looksLikePool = (value: Record<string, unknown>): boolean =>
  constructorName(value).includes('Pool') ||
  (typeof value['connect'] === 'function' && typeof value['query'] === 'function')

const database: Option<pg.PoolConfig | pg.Pool> = {
  required: true,
  secret: true,
  expected: 'a pg.PoolConfig with at least one setting, or a pg.Pool',
  accepts: (value) =>
    value instanceof pg.Pool ||
    (isObject(value) &&
      !looksLikePool(value) &&
      Object.values(value).some((setting) => setting !== undefined)),
  advice: (value) => {
    if (typeof value === 'string') return 'Write { connectionString: … } for a URL'
    if (isObject(value) && looksLikePool(value))
      return 'It is a pool, but not of the pg that pg-cutover imports: two copies of pg are installed, or it only looks like a pool. Make `npm ls pg` show one version, or pass the config in place of the pool'
    return undefined
  },
}

const connection: Option<pg.ClientConfig | string | undefined> = {
  default: undefined,
  secret: true,
  expected: 'a connection string or a pg.ClientConfig with at least one setting',
  accepts: (value) =>
    (typeof value === 'string' && value !== '') ||
    (isObject(value) &&
      typeof value['connect'] !== 'function' &&
      Object.values(value).some((setting) => setting !== undefined)),
}

const conninfo: Option<string | undefined> = {
  default: undefined,
  secret: true,
  expected: 'a libpq connection string, such as "host=db1 dbname=app user=replicator password=…"',
  accepts: (value) => typeof value === 'string' && value.trim() !== '',
}

const CONTROL_TABLE: OptionTable<ControlOptions> = {
  old: connection,
  new: connection,
  oldReachedBy: conninfo,
  newReachedBy: conninfo,
}

const TABLE: OptionTable<Filled> = {
  name: {
    required: true,
    expected: '1 to 63 letters, digits and _ - . :',
    accepts: (value) => typeof value === 'string' && /^[A-Za-z0-9_.:-]{1,63}$/.test(value),
  },
  old: database,
  new: database,
  source: {
    required: true,
    expected: 'a source: memorySource(), fileSource(path), or an object with name, watch and close',
    accepts: (value) =>
      isObject(value) &&
      typeof value['name'] === 'string' &&
      typeof value['watch'] === 'function' &&
      typeof value['close'] === 'function',
  },
  mirror: oneOf(['replication', 'dual-write', 'none'] as const, undefined),
  // Read by a table of its own.
  dualWrite: { default: undefined, expected: 'an object', accepts: () => true },
  control: {
    default: false,
    secret: true,
    expected: 'true, false, or an object with old, new, oldReachedBy, newReachedBy',
    accepts: (value) => typeof value === 'boolean' || isObject(value),
  },
  tables: {
    default: undefined,
    expected: 'an array of at least one table, each as "schema.table"',
    accepts: (value) =>
      Array.isArray(value) &&
      value.length > 0 &&
      value.every((table) => typeof table === 'string' && /^[^.]+\..+$/.test(table)),
  },
  fallback: oneOf(PHASE_NAMES, undefined),
  stateFile: {
    default: undefined,
    expected: 'the path of a file in a folder that exists',
    accepts: (value) => typeof value === 'string' && value !== '' && !value.includes('\0'),
  },
  autoAdvance: yesOrNo,
  heldReadsMax: {
    default: undefined,
    expected: 'a whole number from 0 to 100',
    accepts: isWholeFrom(0, 100),
  },
  // Read by a table of its own.
  shadow: { default: undefined, expected: 'false or an object', accepts: () => true },
  onDrainTimeout: oneOf(['abort', 'cancel'], 'abort'),
  members: oneOf(['barrier', 'fence-only'], 'barrier'),
  attempts: { default: 3, expected: 'a whole number from 1 to 10', accepts: isWholeFrom(1, 10) },
  prepareTimeoutMillis: millis('prepareTimeoutMillis'),
  holdTimeoutMillis: millis('holdTimeoutMillis', MOST_HOLD_MILLIS),
  drainTimeoutMillis: millis('drainTimeoutMillis', MOST_HOLD_MILLIS),
  fenceTimeoutMillis: millis('fenceTimeoutMillis', MOST_HOLD_MILLIS),
  catchUpTimeoutMillis: millis('catchUpTimeoutMillis', MOST_HOLD_MILLIS),
  stopReadsTimeoutMillis: millis('stopReadsTimeoutMillis', MOST_HOLD_MILLIS),
  decideTimeoutMillis: millis('decideTimeoutMillis', MOST_HOLD_MILLIS),
  reverseTimeoutMillis: millis('reverseTimeoutMillis'),
  copyTimeoutMillis: millis('copyTimeoutMillis'),
}

/** Checks what was given to `createCutover` and fills in the defaults. Throws `ERR_OPTION`. */
export function readOptions(input: CutoverOptions): ResolvedOptions {
  const where = 'createCutover: '
  const given = readTable(TABLE, input, where)
  if (given.old === given.new)
    throw new CutoverError(
      'ERR_OPTION',
      `${where}old and new are the same object; expected two databases. Pass one config or pool for each`,
    )
  const control = readControl(given.control, where)
  const mirror = given.mirror ?? (control ? 'replication' : 'none')
  if (mirror !== 'none' && !control)
    throw new CutoverError(
      'ERR_OPTION',
      `${where}mirror is "${mirror}" and control is false; ${mirror} needs control: true. Without control the mirror is "none"`,
    )
  if (given.stateFile !== undefined && control)
    throw new CutoverError(
      'ERR_OPTION',
      `${where}stateFile is given and control is not false; with control the databases' own rows remember the phase. Leave stateFile out`,
    )
  return Object.freeze({
    name: given.name,
    pools: { old: given.old, new: given.new },
    source: given.source,
    mirror,
    dualWrite: readDualWrite(given.dualWrite, mirror, where),
    control,
    tables: given.tables,
    fallback: given.fallback,
    // Made absolute now, since the working directory may change.
    stateFile: given.stateFile === undefined ? undefined : resolve(given.stateFile),
    autoAdvance: given.autoAdvance,
    heldReadsMax: given.heldReadsMax,
    shadow: readShadow(given.shadow, where),
    onDrainTimeout: given.onDrainTimeout,
    members: given.members,
    attempts: given.attempts,
    timings: readTimings(given, input, where, control !== undefined && given.members === 'barrier'),
  })
}

function readControl(given: Filled['control'], where: string): ResolvedControl | undefined {
  if (given === false) return undefined
  const read = readTable(CONTROL_TABLE, given === true ? {} : given, `${where}control.`)
  const config = (value: ControlOptions['old']): pg.ClientConfig | undefined =>
    typeof value === 'string' ? { connectionString: value } : value
  return {
    connections: { old: config(read.old), new: config(read.new) },
    reachedBy: { old: read.oldReachedBy, new: read.newReachedBy },
  }
}
