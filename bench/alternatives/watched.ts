// Runs a program that keeps nothing, under a shell that kills it and removes its folder when this process ends, however it does.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Account } from '../../test/support/binaries.js'

export interface Watched {
  readonly pid: number
  close(): Promise<void>
}

// The shell waits for the end of its standard input, which no way of dying can avoid. Not with the keeper of the servers: it
// tells its command to quit by a signal that a shell has its commands ignore, and PgBouncer leaves it at that.
const script = `
folder=$1; shift
"$@" </dev/null >>"$folder/log" 2>&1 &
echo $!
read -r order
kill -KILL $!
wait
cd /
rm -rf "$folder"
`

/** What it prints is in the file `log` of the folder. */
export async function watched(
  folder: string,
  account: Account | undefined,
  command: readonly string[],
): Promise<Watched> {
  const shell = spawn('/bin/sh', ['-c', script, 'watched', folder, ...command], {
    cwd: folder,
    detached: true,
    stdio: ['pipe', 'pipe', 'ignore'],
    ...account,
  })
  const ended = once(shell, 'exit')
  const [pid] = (await Promise.race([once(shell.stdout, 'data'), ended])) as [unknown]
  return {
    pid: Number(String(pid)),
    async close() {
      shell.stdin.end()
      await ended
    },
  }
}
