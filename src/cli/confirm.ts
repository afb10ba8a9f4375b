// Asks a person at a terminal before something is done that cannot be taken back.
import { createInterface } from 'node:readline'
import { CutoverError } from '../errors.js'
import type { Keyboard, Sink } from './screen.js'

/** True for `y` and `yes` alone. Throws `ERR_OPTION` where there is nobody to ask. */
export async function confirm(question: string, from: Keyboard | undefined, to: Sink): Promise<boolean> {
  if (from?.isTTY !== true)
    throw new CutoverError(
      'ERR_OPTION',
      `nobody can be asked here: ${question} Run it at a terminal, or pass --yes`,
    )
  to.write(`${question} [y/N] `)
  const lines = createInterface({ input: from })
  try {
    for await (const line of lines) return /^y(es)?$/i.test(line.trim())
    // The end of the input.
    return false
  } finally {
    lines.close()
  }
}
