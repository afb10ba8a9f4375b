// Reads the arguments, runs one command, and says how it ended.
import { createRequire } from 'node:module'
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander'
import { CutoverError, isCutoverError } from '../errors.js'
import { confirm } from './confirm.js'
import { EXIT, type Outcome } from './outcome.js'
import { indexesCommand } from './indexes-command.js'
import { mirrorCommand } from './mirror-command.js'
import { openMigration, type ConnectFlags } from './open-migration.js'
import { preflightCommand } from './preflight-command.js'
import { recoverCommand } from './recover-command.js'
import { paintFor, shower, type Output, type Streams } from './screen.js'
import { setAsideCommand } from './set-aside-command.js'
import { shadowCommand } from './shadow-command.js'
import { statusCommand } from './status-command.js'
import type { Migration } from '../control/migration.js'

interface Flags extends ConnectFlags {
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

type Run = (m: Migration, flags: Flags, output: Output) => Promise<Outcome>

const EPILOGUE = `
The URLs may come from OLD_DATABASE_URL and NEW_DATABASE_URL instead, which keeps passwords out of the process list.
Exit codes: 0 done, 1 refused or failed and nothing changed, 2 wrong usage, 3 needs "recover".`

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

/** Runs one command line and gives its exit code; writes nothing but to these streams and never ends the process. */
export async function runCommandLine(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  streams: Streams,
): Promise<number> {
  let exit: number = EXIT.done
  const program = new Command('pg-cutover')
    .description('Looks after a migration of a live Postgres database from one server to another.')
    .version(version())
    .addHelpText('after', EPILOGUE)
    .configureOutput({
      writeOut: (text) => void streams.out.write(text),
      writeErr: (text) => void streams.err.write(text),
    })
    .showHelpAfterError('(pg-cutover --help says what there is)')
    .exitOverride()

  const command = (name: string, description: string, run: Run): Command =>
    program
      .command(name)
      .description(description)
      .allowExcessArguments(false)
      .requiredOption('--name <name>', 'the name of the migration, as given to createCutover')
      .option('--old <url>', 'the old database, as a role with the rights of a coordinator')
      .option('--new <url>', 'the new database, likewise')
      .option('--old-reached-by <conninfo>', 'how the new server itself reaches the old one')
      .option('--new-reached-by <conninfo>', 'how the old server itself reaches the new one')
      .option('--tables <list>', 'tables in scope, as schema.table separated by commas (default: all)')
      .addOption(
        new Option('--mirror <kind>', 'what copies the changes')
          .choices(['replication', 'dual-write', 'none'])
          .default('replication'),
      )
      .option(
        '--mapped <pairs>',
        'with --mirror dual-write: tables with another name on the new side, as old=new separated by commas',
      )
      .option('--json', 'print one JSON object')
      .addHelpText('after', EPILOGUE)
      .action(async (flags: Flags) => {
        exit = await runCommand(run, flags, environment, streams)
      })

  command(
    'preflight',
    'finds everything that would make the migration fail; changes nothing',
    preflightCommand,
  ).addOption(
    new Option(
      '--stage <stage>',
      'before the mirror is made, or before a change of writer (default: by the status)',
    ).choices(['mirror', 'cutover']),
  )
  command('status', 'shows which side takes writes and how the mirror is; changes nothing', statusCommand)
  command(
    'recover',
    'ends a change of writer that was left under way, whatever its direction',
    recoverCommand,
  ).option('--dry-run', 'say what would be done')
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

  try {
    await program.parseAsync([...args], { from: 'user' })
    return exit
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage
    throw error
  }
}

async function runCommand(
  run: Run,
  flags: Flags,
  environment: Readonly<Record<string, string | undefined>>,
  streams: Streams,
): Promise<number> {
  const paint = paintFor(streams.out, environment)
  const terminal = streams.out.isTTY === true && !flags.json
  const shown = shower(streams.out, terminal)
  let outcome: Outcome
  try {
    const m = openMigration(flags, environment)
    try {
      outcome = await run(m, flags, {
        paint,
        terminal,
        show: (block) => shown.show(block),
        note: (line) => void streams.err.write(`${line}\n`),
        confirm: (question) => confirm(question, streams.in, streams.err),
      })
    } finally {
      await Promise.all([m.control.old.close(), m.control.new.close()])
    }
  } catch (error) {
    outcome = refusal(error)
  }
  const lines = flags.json ? [JSON.stringify(outcome.json)] : outcome.lines
  // What went wrong belongs to the errors, unless a machine reads the one object.
  if (outcome.json['error'] !== undefined && !flags.json)
    streams.err.write(lines.map((line) => `${line}\n`).join(''))
  else shown.end(lines)
  return outcome.exit
}

/** Database errors name what was refused and by whom; their other fields are for programs. */
function refusal(error: unknown): Outcome {
  const message = error instanceof Error ? error.message : String(error)
  const code = error instanceof CutoverError ? error.code : 'ERR_UNEXPECTED'
  return {
    exit: isCutoverError(error, 'ERR_OPTION') ? EXIT.usage : EXIT.refused,
    lines: [`${code}: ${message}`],
    json: { error: { code, message } },
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
