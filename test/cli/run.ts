// Runs a command line inside the test, and catches what it prints.
import { PassThrough } from 'node:stream'
import { runCommandLine } from '../../src/cli/command-line.js'

export interface Ran {
  readonly exit: number
  readonly out: string
  readonly err: string
}

export interface Around {
  /** Where a config file is looked for. */
  readonly folder?: string
  readonly onInterrupt?: (listener: () => void) => () => void
  /** Hears what is written as the result. */
  readonly onOut?: (text: string) => void
  /** Hears what is written beside the result. */
  readonly onErr?: (text: string) => void
}

export async function run(
  args: readonly string[],
  environment: Record<string, string> = {},
  isTTY = false,
  /** What is typed at the terminal. */
  typed?: string,
  { folder, onInterrupt, onOut, onErr }: Around = {},
): Promise<Ran> {
  let out = ''
  let err = ''
  const keyboard = typed === undefined ? undefined : Object.assign(new PassThrough(), { isTTY: true })
  keyboard?.end(typed)
  const exit = await runCommandLine(
    args,
    environment,
    {
      ...(keyboard && { in: keyboard }),
      out: {
        write: (text) => {
          out += text
          onOut?.(text)
        },
        isTTY,
      },
      err: {
        write: (text) => {
          err += text
          onErr?.(text)
        },
      },
      ...(onInterrupt && { onInterrupt }),
    },
    folder,
  )
  return { exit, out, err }
}
