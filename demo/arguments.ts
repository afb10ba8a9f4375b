// The demo's command line, checked before anything is started.
import { accessSync, constants, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { MIRRORS } from './mirrors.js'
import type { MirrorName } from './mirrors.js'
import { MOVERS } from './movers.js'
import type { MoverName } from './movers.js'
import type { Settings } from './run.js'

export interface Arguments extends Settings {
  readonly json: boolean
  readonly help: boolean
  /** Absolute. */
  readonly report: string | undefined
}

interface Quantity {
  readonly standard: number
  readonly from: number
  readonly to: number
  readonly what: string
}

const SOURCE: MoverName = 'memory'
/** Of many processes that one flag moves: anyone may be the one that does the work. */
const SOURCE_OF_MANY: MoverName = 'file'
const MIRROR: MirrorName = 'replication'

const QUANTITIES = {
  seconds: { standard: 36, from: 1, to: 3600, what: 'seconds of traffic between the moves, shared out' },
  rows: { standard: 120_000, from: 1000, to: 10_000_000, what: 'rows in the database to begin with' },
  rate: { standard: 800, from: 10, to: 20_000, what: 'writes a second, of all writers together' },
  writers: { standard: 16, from: 1, to: 64, what: 'concurrent writers' },
  processes: { standard: 1, from: 1, to: 24, what: 'processes of the application, which share out its load' },
  readers: { standard: 8, from: 0, to: 64, what: 'concurrent readers' },
} as const satisfies Record<string, Quantity>

/** The longest leaves the rest of a cutover half of the longest hold. */
const SLOW = { from: 50, to: 5_000 } as const

export const USAGE = `Moves a live database from Postgres 15 to Postgres 18 under load, back, and there again,
and proves that no acknowledged write was lost, applied twice or failed.

Usage: npm run demo -- [options]

  --source NAME     what moves it (${SOURCE}; with several processes ${SOURCE_OF_MANY}):
${choices(MOVERS)}
  --mirror NAME     what keeps the other side equal (${MIRROR}):
${choices(MIRRORS)}
  --json            print one JSON object as the last line
  --report FILE     write a page with a picture of the latency over time (.html)
${Object.entries(QUANTITIES)
  .map(([name, { what, standard }]) => `  ${`--${name} N`.padEnd(16)}  ${what} (${standard})`)
  .join('\n')}
  --slow-transaction MILLIS
                    one writer's transaction is that long open when each cutover begins, from ${SLOW.from} to ${SLOW.to}
  --help            show this

Exit code: 0 nothing lost, duplicated or failed; 1 otherwise; 2 wrong usage.`

/** A command line that is not understood. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export function readArguments(argv: readonly string[]): Arguments {
  const values = parse(argv)
  const processes = quantity('processes', values.processes)
  const writers = quantity('writers', values.writers)
  const source = oneOf('source', MOVERS, values.source ?? (processes > 1 ? SOURCE_OF_MANY : SOURCE))
  const slowTransactionMillis = slowTransaction(values['slow-transaction'])
  if (writers < processes)
    throw new UsageError(
      `--writers ${writers} is too few: each of the ${processes} processes has one at least`,
    )
  if (slowTransactionMillis !== undefined && processes > 1 && source !== 'memory')
    throw new UsageError(
      '--slow-transaction with several processes needs --source memory: it is in the process that moves, and a flag leaves open which that is',
    )
  return {
    json: values.json ?? false,
    help: values.help ?? false,
    report: values.report === undefined ? undefined : writable(values.report),
    source,
    processes,
    mirror: oneOf('mirror', MIRRORS, values.mirror ?? MIRROR),
    seconds: quantity('seconds', values.seconds),
    rows: quantity('rows', values.rows),
    rate: quantity('rate', values.rate),
    writers,
    readers: quantity('readers', values.readers),
    slowTransactionMillis,
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      strict: true,
      allowPositionals: false,
      options: {
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
        report: { type: 'string' },
        source: { type: 'string' },
        mirror: { type: 'string' },
        seconds: { type: 'string' },
        rows: { type: 'string' },
        rate: { type: 'string' },
        writers: { type: 'string' },
        processes: { type: 'string' },
        readers: { type: 'string' },
        'slow-transaction': { type: 'string' },
      },
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

function quantity(name: keyof typeof QUANTITIES, value: string | undefined): number {
  const { standard, from, to } = QUANTITIES[name]
  return value === undefined ? standard : whole(name, value, from, to)
}

function slowTransaction(value: string | undefined): number | undefined {
  return value === undefined
    ? undefined
    : whole('slow-transaction', value, SLOW.from, SLOW.to, ' of milliseconds')
}

function whole(name: string, value: string, from: number, to: number, unit = ''): number {
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN
  if (!(number >= from && number <= to))
    throw new UsageError(`--${name} takes a whole number${unit} from ${from} to ${to}, not '${value}'`)
  return number
}

function oneOf<Name extends string>(flag: string, all: Readonly<Record<Name, unknown>>, value: string): Name {
  const names = Object.keys(all) as Name[]
  const name = names.find((known) => known === value)
  if (name === undefined) throw new UsageError(`--${flag} takes ${names.join(' or ')}, not '${value}'`)
  return name
}

function choices(all: Readonly<Record<string, { readonly what: string }>>): string {
  return Object.entries(all)
    .map(([name, { what }]) => `                    ${name.padEnd(14)}${what}`)
    .join('\n')
}

/** A minute of work is not to end in a report that cannot be written. */
function writable(path: string): string {
  const file = resolve(path)
  const folder = dirname(file)
  if (path === '' || !/\.html?$/.test(file))
    throw new UsageError(`--report takes the name of an .html file, not '${path}'`)
  try {
    if (!statSync(folder).isDirectory()) throw new Error('not a folder')
    accessSync(folder, constants.W_OK)
    const there = statSync(file, { throwIfNoEntry: false })
    if (there && !there.isFile()) throw new Error('not a file')
    if (there) accessSync(file, constants.W_OK)
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new UsageError(`--report: '${path}' cannot be written (${reason})`, { cause: error })
  }
  return file
}
