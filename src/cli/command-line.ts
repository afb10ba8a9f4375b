// Reads the arguments, runs one command, and says how it ended.
import { CommanderError } from 'commander'
import { CutoverError, isCutoverError } from '../errors.js'
import { readConfigFile } from './config-file.js'
import { confirm } from './confirm.js'
import { openMigration, type Environment } from './open-migration.js'
import { EXIT, type Outcome } from './outcome.js'
import { programOf, type Flags, type Run } from './program.js'
import { paintFor, shower, type Output, type Shower, type Streams } from './screen.js'

/**
 * Runs one command line and gives its exit code; writes nothing but to these streams and never ends the process. `folder` is
 * where a config file is looked for.
 */
export async function runCommandLine(
  args: readonly string[],
  environment: Environment,
  streams: Streams,
  folder: string = process.cwd(),
): Promise<number> {
  let exit: number = EXIT.done
  const program = programOf(streams.out, streams.err, async (run, flags) => {
    exit = await runCommand(run, flags, environment, streams, folder)
  })
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
  environment: Environment,
  streams: Streams,
  folder: string,
): Promise<number> {
  const shown = shower(streams.out, streams.out.isTTY === true && !flags.json)
  let outcome: Outcome
  try {
    const { m, applicationRoles } = openMigration(
      flags,
      environment,
      await readConfigFile(flags.config, folder),
    )
    try {
      outcome = await run(m, flags, outputOf(flags, environment, streams, shown), applicationRoles)
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

function outputOf(flags: Flags, environment: Environment, streams: Streams, shown: Shower): Output {
  const note = (line: string): void => void streams.err.write(`${line}\n`)
  return {
    paint: paintFor(streams.out, environment),
    terminal: streams.out.isTTY === true && !flags.json,
    show: (block) => shown.show(block),
    note,
    say: (line) => (flags.json ? note(line) : shown.show([line])),
    confirm: (question) => confirm(question, streams.in, streams.err),
    onInterrupt: (listener) => streams.onInterrupt?.(listener) ?? (() => {}),
  }
}

const PENDING = ['ERR_OPEN_PENDING', 'ERR_IN_DOUBT'] as const

/** Database errors name what was refused and by whom; their other fields are for programs. */
function refusal(error: unknown): Outcome {
  const message = error instanceof Error ? error.message : String(error)
  const code = error instanceof CutoverError ? error.code : 'ERR_UNEXPECTED'
  const isPending = PENDING.some((pending) => isCutoverError(error, pending))
  return {
    exit: isCutoverError(error, 'ERR_OPTION') ? EXIT.usage : isPending ? EXIT.needsRecover : EXIT.refused,
    lines: [`${code}: ${message}`],
    json: { error: { code, message }, ...(isPending && { needsRecover: true }) },
  }
}
