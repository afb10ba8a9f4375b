// The commands and their options, as commander knows them.
import { createRequire } from 'node:module'
import { Argument, Command, InvalidArgumentError, Option } from 'commander'
import type { Migration } from '../control/migration.js'
import { PHASE_NAMES, parsePhase, type Phase } from '../phase/phases.js'
import { advanceCommand, finishCommand, rollbackCommand } from './advance-command.js'
import { indexesCommand } from './indexes-command.js'
import { mirrorCommand } from './mirror-command.js'
import type { ConnectFlags } from './open-migration.js'
import type { Outcome } from './outcome.js'
import { preflightCommand } from './preflight-command.js'
import { prepareCommand } from './prepare-command.js'
import { recoverCommand } from './recover-command.js'
import type { Output, Sink } from './screen.js'
import { setAsideCommand } from './set-aside-command.js'
import { shadowCommand } from './shadow-command.js'
import { statusCommand } from './status-command.js'

export interface Flags extends ConnectFlags {
  readonly config?: string
  /** The argument of `advance`. */
  readonly phase?: Phase
  readonly despite?: 'mismatches'
  readonly watch?: true | number
  readonly table?: string
  readonly key?: string
  readonly again?: true
  readonly json?: true
  readonly stage?: 'mirror' | 'cutover'
  readonly dryRun?: true
  readonly html?: string
  readonly top?: number
  readonly reset?: true
  readonly yes?: true
}

export type Run = (
  m: Migration,
  flags: Flags,
  output: Output,
  applicationRoles: readonly string[],
) => Promise<Outcome>

const EPILOGUE = `
What is not given here comes from OLD_DATABASE_URL, NEW_DATABASE_URL, OLD_REACHED_BY and NEW_REACHED_BY, which keeps
passwords out of the process list, and then from pg-cutover.config.{ts,mts,js,mjs,json} in the working directory.
Exit codes: 0 done, 1 refused or failed and nothing changed, 2 wrong usage, 3 needs "recover",
4 done, but something that was to be taken away is still there: run it again.`

const ALSO_REFUSED = {
  shadow: 'where compared reads have differed for real, or where a database could not be asked',
  mirror: 'where a mirror by dual-write is not at work, or something is stuck',
  'set-aside': 'where it lists something that is stuck and not set aside',
  indexes: 'where some are missing',
} as const

const alsoRefused = (command: keyof typeof ALSO_REFUSED): string =>
  `\nIt ends with 1 as well ${ALSO_REFUSED[command]}.`

const SET_ASIDE_EPILOGUE = `
What is set aside stays different on the two sides until somebody changes the row again, or --again has it tried.`

const SAFE_AGAIN = '\nIt is safe to run again at any point.'

/** `act` is called with the one command that was asked for. */
export function programOf(out: Sink, err: Sink, act: (run: Run, flags: Flags) => Promise<void>): Command {
  const program = new Command('pg-cutover')
    .description('Looks after a migration of a live Postgres database from one server to another.')
    .version(version())
    .addHelpText('after', EPILOGUE)
    .configureOutput({
      writeOut: (text) => void out.write(text),
      writeErr: (text) => void err.write(text),
    })
    .showHelpAfterError('(pg-cutover --help says what there is)')
    .exitOverride()

  const command = (name: string, description: string, run: Run): Command =>
    program
      .command(name)
      .description(description)
      .allowExcessArguments(false)
      .option('--config <file>', 'the config file (default: pg-cutover.config.* in the working directory)')
      .option('--name <name>', 'the name of the migration, as given to createCutover')
      .option('--old <url>', 'the old database, as a role with the rights of a coordinator')
      .option('--new <url>', 'the new database, likewise')
      .option('--old-reached-by <conninfo>', 'how the new server itself reaches the old one')
      .option('--new-reached-by <conninfo>', 'how the old server itself reaches the new one')
      .option('--tables <list>', 'tables in scope, as schema.table separated by commas (default: all)')
      .addOption(
        new Option('--mirror <kind>', 'what copies the changes (default: replication)').choices([
          'replication',
          'dual-write',
          'none',
        ]),
      )
      .option(
        '--mapped <pairs>',
        'with --mirror dual-write: tables with another name on the new side, as old=new separated by commas',
      )
      .option('--json', 'print one JSON object')
      .addHelpText('after', EPILOGUE)
      .action(async (...given: unknown[]) => {
        // Arguments, options, the command itself.
        const [phase] = given.slice(0, -2)
        await act(run, { ...(given.at(-2) as Flags), ...(phase !== undefined && { phase: phase as Phase }) })
      })
  const checking = (name: string, description: string, run: Run): Command =>
    command(name, description, run).option(
      '--application-role <role>',
      'as whom the service connects: prepare grants it what a member needs; may be given again',
      (role: string, before: readonly string[] | undefined) => [...(before ?? []), role],
    )
  const moving = (name: string, description: string, run: Run): Command =>
    checking(name, description, run)
      .addOption(
        new Option(
          '--on-drain-timeout <what>',
          'transactions still open at the deadline: leave them and change nothing, or cancel them (default: abort)',
        ).choices(['abort', 'cancel']),
      )
      .option('--yes', 'do not ask')
      .option('--dry-run', 'say what would be done')
      .addHelpText('after', SAFE_AGAIN)

  checking(
    'preflight',
    'finds everything that would make the migration fail; changes nothing',
    preflightCommand,
  ).addOption(
    new Option(
      '--stage <stage>',
      'before the mirror is made, or before a change of writer (default: by the status)',
    ).choices(['mirror', 'cutover']),
  )
  checking(
    'prepare',
    'fences the new database and mirrors the old one to it; goes on where it stopped',
    prepareCommand,
  )
    .option('--dry-run', 'say what would be done')
    .addHelpText('after', SAFE_AGAIN)
  command(
    'status',
    'shows which side takes writes, the mirror and the fleet; changes nothing',
    statusCommand,
  ).option('--watch [seconds]', 'look again and again until interrupted', someSeconds)
  moving('advance', 'moves to another phase; asks before writes move', advanceCommand)
    .addArgument(
      new Argument('<phase>', `${PHASE_NAMES.join(', ')}, or the same as stages of LaunchDarkly`).argParser(
        somePhase,
      ),
    )
    .addOption(
      new Option('--despite <what>', 'move although compared reads have differed').choices(['mismatches']),
    )
  moving(
    'rollback',
    'moves writes back to the old database, with all that was written since',
    rollbackCommand,
  )
  moving('finish', 'ends the migration on the new database; there is no way back after it', finishCommand)
  command(
    'recover',
    'ends a change of writer that was left under way, whatever its direction',
    recoverCommand,
  )
    .option('--dry-run', 'say what would be done')
    .addHelpText('after', SAFE_AGAIN)
  command(
    'shadow',
    'shows what the processes have found by comparing reads, of all processes together',
    shadowCommand,
  )
    .option(
      '--top <count>',
      'how many statements and differences (default: 10, all with --json and --html)',
      whole,
    )
    .option('--html <file>', 'write the report to this file as one page of HTML')
    .option('--reset', 'have every process count anew; asks before it does')
    .option('--yes', 'with --reset: do not ask')
    .option('--dry-run', 'with --reset: say what would be forgotten')
    .addHelpText('after', alsoRefused('shadow'))
  command('mirror', 'shows the mirror in detail; changes nothing', mirrorCommand)
    .option(
      '--watch [seconds]',
      'look again and again: to the end of the initial copy, of the mirror, or until interrupted',
      someSeconds,
    )
    .addHelpText('after', alsoRefused('mirror'))
  command(
    'set-aside',
    'lists what the other side of a mirror by dual-write refuses, or has the mirror do without some of it',
    setAsideCommand,
  )
    .option('--table <table>', 'do without what is stuck of this table, as it is listed; asks before it does')
    .option('--key <key>', 'with --table: of this row alone, as it is listed')
    .option('--again', 'have all of it, or that of --table and --key, tried again')
    .option('--yes', 'do not ask')
    .option('--dry-run', 'say what would be done')
    .addHelpText('after', SET_ASIDE_EPILOGUE + alsoRefused('set-aside'))
  command(
    'indexes',
    'prints the SQL for indexes and constraints that the other side still lacks; changes nothing',
    indexesCommand,
  ).addHelpText('after', alsoRefused('indexes'))
  return program
}

function somePhase(given: string): Phase {
  try {
    return parsePhase(given)
  } catch (error) {
    throw new InvalidArgumentError(error instanceof Error ? error.message : 'no phase')
  }
}

function whole(given: string): number {
  if (/^[1-9]\d{0,5}$/.test(given)) return Number(given)
  throw new InvalidArgumentError('expected a whole number above 0')
}

function someSeconds(given: string): number {
  const seconds = /^\d{1,5}(\.\d{1,3})?$/.test(given) ? Number(given) : 0
  if (seconds >= 0.1) return seconds
  throw new InvalidArgumentError('expected seconds, 0.1 or more')
}

function version(): string {
  // By its own name, since the built file lies deeper than this one.
  const manifest: unknown = createRequire(import.meta.url)('pg-cutover/package.json')
  return (manifest as { version: string }).version
}
