// Makes of flags and environment the migration that a command works on, without traffic of its own.
import { CutoverError } from '../errors.js'
import type { Migration } from '../control/migration.js'
import { migrationOf } from '../cutover/migration-of.js'
import { CutoverEvents } from '../events.js'
import { memorySource } from '../phase/memory-source.js'
import type { Side } from '../phase/phases.js'
import { noGate } from '../pool/gate.js'
import { readOptions } from '../cutover/read-options.js'

export interface ConnectFlags {
  readonly name: string
  readonly old?: string
  readonly new?: string
  readonly oldReachedBy?: string
  readonly newReachedBy?: string
  readonly tables?: string
  readonly mirror: 'replication' | 'dual-write' | 'none'
  readonly mapped?: string
}

/** Throws `ERR_OPTION`, whose message never holds a URL. Opens nothing yet. */
export function openMigration(
  flags: ConnectFlags,
  environment: Readonly<Record<string, string | undefined>>,
): Migration {
  const { oldReachedBy, newReachedBy, mirror, mapped } = flags
  if (mapped !== undefined && mirror !== 'dual-write')
    throw new CutoverError('ERR_OPTION', '--mapped belongs to --mirror dual-write')
  const options = readOptions({
    name: flags.name,
    old: { connectionString: urlOf('old', flags.old, environment) },
    new: { connectionString: urlOf('new', flags.new, environment) },
    source: memorySource(),
    control: { oldReachedBy, newReachedBy },
    mirror,
    ...(mapped !== undefined && { dualWrite: { mapped: pairsOf(mapped) } }),
    tables: flags.tables?.split(',').map((table) => table.trim()),
  })
  // The side only matters to the gate of a process with traffic.
  const m = migrationOf(
    options,
    new CutoverEvents(),
    noGate(() => 'old'),
  )
  // The URLs are those of a coordinator; whom the application connects as is not known here.
  return { ...m, poolRoles: { old: undefined, new: undefined } }
}

function pairsOf(mapped: string): Record<string, string> {
  const pairs = mapped.split(',').map((pair) => pair.split('=').map((table) => table.trim()))
  const wrong = pairs.find((pair) => pair.length !== 2)
  if (wrong)
    throw new CutoverError(
      'ERR_OPTION',
      `--mapped has "${wrong.join('=')}"; expected pairs such as public.orders=shop.orders or public.*=shop.*, separated by commas`,
    )
  const names = pairs.map(([old]) => old)
  const twice = names.find((old, nr) => names.indexOf(old) !== nr)
  if (twice !== undefined)
    throw new CutoverError('ERR_OPTION', `--mapped names ${twice} twice; expected each table once`)
  return Object.fromEntries(pairs) as Record<string, string>
}

function urlOf(
  side: Side,
  flag: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): string {
  const variable = `${side.toUpperCase()}_DATABASE_URL`
  const url = flag ?? environment[variable]
  if (!url) {
    throw new CutoverError(
      'ERR_OPTION',
      `the ${side} database is not given; pass --${side} postgres://… or set ${variable}`,
    )
  }
  // pg takes anything that is no URL for the name of a socket folder, and would say so in words that help nobody.
  if (!/^postgres(ql)?:\/\//.test(url) || !URL.canParse(url)) {
    throw new CutoverError(
      'ERR_OPTION',
      `what is given for the ${side} database is no URL that can be read; expected postgres://user:password@host:port/database, with special characters percent-encoded`,
    )
  }
  return url
}
