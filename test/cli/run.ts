// Runs a command line inside the test, and catches what it prints.
import { runCommandLine } from '../../src/cli/command-line.js'

export interface Ran {
  readonly exit: number
  readonly out: string
  readonly err: string
}

export async function run(
  args: readonly string[],
  environment: Record<string, string> = {},
  isTTY = false,
): Promise<Ran> {
  let out = ''
  let err = ''
  const exit = await runCommandLine(args, environment, {
    out: { write: (text) => void (out += text), isTTY },
    err: { write: (text) => void (err += text) },
  })
  return { exit, out, err }
}
