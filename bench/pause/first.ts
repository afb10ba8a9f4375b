// A process of its own that moves its writer for the first time in its life, since what was run before is compiled.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Move } from './move.js'
import { moved, type Setting } from './service.js'

const SCRIPT = fileURLToPath(import.meta.url)

/** The first move of a fresh process between two fresh servers. */
export async function firstMove(setting: Setting): Promise<Move> {
  const child = fork(SCRIPT, [JSON.stringify(setting)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const ended = once(child, 'exit')
  let move: Move | undefined
  child.on('message', (told) => void (move = told as Move))
  await ended
  if (!move)
    throw new Error('the process that was to move its writer for the first time has ended without it')
  return move
}

if (process.send && process.argv[1] === SCRIPT) {
  await moved(JSON.parse(process.argv[2] ?? '{}') as Setting, 1, (move) => process.send?.(move))
  process.disconnect()
}
