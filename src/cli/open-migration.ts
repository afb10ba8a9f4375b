// Makes of flags, environment and config file the migration that a command works on, without traffic of its own.
import type { Migration } from '../control/migration.js'
import { poolRole } from '../cutover/connections.js'
import { migrationOf } from '../cutover/migration-of.js'
import type { ControlOptions, CutoverOptions } from '../cutover/options.js'
import { readOptions, type ResolvedOptions } from '../cutover/read-options.js'
import { CutoverError, isCutoverError } from '../errors.js'
import { CutoverEvents } from '../events.js'
import { shapeOf } from '../options.js'
import { memorySource } from '../phase/memory-source.js'
import type { Side } from '../phase/phases.js'
import { noGate } from '../pool/gate.js'
import type { ConfigFile } from './config-file.js'

export interface ConnectFlags {
  readonly name?: string
  readonly old?: string
  readonly new?: string
  readonly oldReachedBy?: string
  readonly newReachedBy?: string
  readonly tables?: string
  readonly mirror?: 'replication' | 'dual-write' | 'none'
  readonly mapped?: string
  readonly onDrainTimeout?: 'abort' | 'cancel'
  readonly applicationRole?: readonly string[]
}

export type Environment = Readonly<Record<string, string | undefined>>

export interface Opened {
  readonly m: Migration
  /** Roles of the service that are no owners of what the migration stores, and need grants; the first is that of its pools. */
  readonly applicationRoles: readonly string[]
}

/** What a config file may say beside the options of createCutover. */
const OWN_KEYS = ['source', 'applicationRoles'] as const

/** Flags count over the environment, and that over the file. Throws `ERR_OPTION`, whose message never holds a URL. Opens nothing yet. */
export function openMigration(
  flags: ConnectFlags,
  environment: Environment,
  file: ConfigFile | undefined,
): Opened {
  const inFile = file?.options ?? {}
  const control = controlOf(flags, environment, file)
  const given = {
    ...Object.fromEntries(Object.entries(inFile).filter(([key]) => !OWN_KEYS.some((own) => own === key))),
    // A service is told its phase by it, a command by its arguments.
    source: memorySource(),
    name: flags.name ?? inFile['name'] ?? missingName(file),
    old: databaseOf('old', flags, environment, inFile),
    new: databaseOf('new', flags, environment, inFile),
    control,
    ...(flags.tables !== undefined && { tables: flags.tables.split(',').map((table) => table.trim()) }),
    ...(flags.onDrainTimeout && { onDrainTimeout: flags.onDrainTimeout }),
    ...mirrorOf(flags, inFile),
  }
  const options = checked(given, flags, file)
  // The side only matters to the gate of a process with traffic.
  const m = migrationOf(
    options,
    new CutoverEvents(),
    noGate(() => 'old'),
  )
  const applicationRoles = flags.applicationRole ?? rolesOf(file)
  // An address that only the command was given is that of a coordinator, and says nothing of whom the application connects as.
  const isApplication = (side: Side): boolean =>
    inFile[side] !== undefined || options.control?.connections[side] !== undefined
  const roleOf = (side: Side): string | undefined =>
    file !== undefined && isApplication(side) ? poolRole(options, side) : applicationRoles[0]
  return {
    m: { ...m, poolRoles: { old: roleOf('old'), new: roleOf('new') } },
    applicationRoles,
  }
}

function missingName(file: ConfigFile | undefined): never {
  throw new CutoverError(
    'ERR_OPTION',
    `the name of the migration is not given; pass --name, as given to createCutover${file ? `, or write name in ${file.shown}` : ', or write it in pg-cutover.config.js'}`,
  )
}

/** What the pools of the service connect with, where it is known, else what the command was given. */
function databaseOf(
  side: Side,
  flags: ConnectFlags,
  environment: Environment,
  inFile: ConfigFile['options'],
): unknown {
  const flag = flags[side]
  const variable = `${side.toUpperCase()}_DATABASE_URL`
  const fromEnvironment = environment[variable]
  if (flag !== undefined) requireUrl(side, flag)
  if (fromEnvironment) return { connectionString: requireUrl(side, fromEnvironment) }
  if (inFile[side] !== undefined) return inFile[side]
  if (flag !== undefined) return { connectionString: flag }
  throw new CutoverError(
    'ERR_OPTION',
    `the ${side} database is not given; pass --${side} postgres://… or set ${variable}`,
  )
}

function controlOf(flags: ConnectFlags, environment: Environment, file: ConfigFile | undefined): unknown {
  const given = file?.options['control'] ?? true
  if (given === false)
    throw new CutoverError(
      'ERR_OPTION',
      `${file?.shown}: control is false; in direct mode nothing is stored in the databases, so that there is nothing for a command to look after`,
    )
  // Anything else is refused with the other options.
  if (given !== true && (typeof given !== 'object' || given === null)) return given
  const control: ControlOptions = {
    ...(given === true ? {} : given),
    ...presentOnly({
      old: flags.old,
      new: flags.new,
      oldReachedBy: flags.oldReachedBy ?? (environment['OLD_REACHED_BY'] || undefined),
      newReachedBy: flags.newReachedBy ?? (environment['NEW_REACHED_BY'] || undefined),
    }),
  }
  return control
}

const presentOnly = (values: Readonly<Record<string, string | undefined>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )

function mirrorOf(
  { mirror, mapped }: ConnectFlags,
  inFile: ConfigFile['options'],
): Readonly<Record<string, unknown>> {
  const effective = mirror ?? inFile['mirror']
  if (mapped !== undefined && effective !== 'dual-write')
    throw new CutoverError('ERR_OPTION', '--mapped belongs to --mirror dual-write')
  if (mapped !== undefined)
    return { mirror: effective, dualWrite: { ...Object(inFile['dualWrite']), mapped: pairsOf(mapped) } }
  // What the file says of another mirror has no say then.
  if (mirror !== undefined && mirror !== 'dual-write') return { mirror, dualWrite: undefined }
  return mirror === undefined ? {} : { mirror }
}

/** The first key that is wrong is told with the file that it stands in. */
function checked(given: object, flags: ConnectFlags, file: ConfigFile | undefined): ResolvedOptions {
  try {
    return readOptions(given as CutoverOptions)
  } catch (error) {
    if (!isCutoverError(error, 'ERR_OPTION')) throw error
    const message = error.message.replace(/^createCutover: /, '')
    const key = /^\w+/.exec(message)?.[0] ?? ''
    const isOfFile =
      file && Object.hasOwn(file.options, key) && flags[key as keyof ConnectFlags] === undefined
    throw new CutoverError('ERR_OPTION', isOfFile ? `${file.shown}: ${message}` : message, { cause: error })
  }
}

function rolesOf(file: ConfigFile | undefined): readonly string[] {
  const roles = file?.options['applicationRoles'] ?? []
  if (Array.isArray(roles) && roles.every((role): role is string => typeof role === 'string' && role !== ''))
    return roles
  throw new CutoverError(
    'ERR_OPTION',
    `${file?.shown}: applicationRoles is ${shapeOf(roles)}; expected an array of names of roles, such as ['app']`,
  )
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

function requireUrl(side: Side, url: string): string {
  // pg takes anything that is no URL for the name of a socket folder, and would say so in words that help nobody.
  if (/^postgres(ql)?:\/\//.test(url) && URL.canParse(url)) return url
  throw new CutoverError(
    'ERR_OPTION',
    `what is given for the ${side} database is no URL that can be read; expected postgres://user:password@host:port/database, with special characters percent-encoded`,
  )
}
