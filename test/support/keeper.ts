// Runs a command under a small shell that outlives us just long enough to stop it and remove its folder, however we end.
import { spawn } from 'node:child_process'
import { Socket } from 'node:net'
import type { Readable } from 'node:stream'
import type { Account } from './binaries.js'

export interface Keeper {
  /** Of the command; undefined when only a folder is kept. */
  pid(): Promise<number | undefined>
  /** Resolves when the command and every process it started have gone. */
  readonly whenEnded: Promise<void>
  /** The same, and keeps this process alive until then. */
  ended(): Promise<void>
  /** To be called when the command has ended: the folder stays. */
  leave(): Promise<void>
  /** Stops the command at once and removes the folder: what also happens when this process dies. */
  clean(): Promise<void>
}

// It sits in a process group of its own, so that Ctrl-C reaches us alone, and leaves by the end of its standard input,
// which no way of dying can avoid. A killed postmaster leaves its System V segment, whose id is in postmaster.pid. What initdb
// has started may outlive it and write on in the folder, the longer the busier the machine is, so it is told again.
const script = `
ulimit -c 0
folder=$1; shift
if [ $# -gt 0 ]; then "$@" </dev/null >>"$folder/log" 2>&1 & echo $!; fi
exec 3>&-
if read -r order; then wait; exit 0; fi
trap '' QUIT
kill -QUIT 0
wait
if [ -f "$folder/data/postmaster.pid" ]; then
  set -- $(sed -n 7p "$folder/data/postmaster.pid")
  [ $# -lt 2 ] || ipcrm -m "$2" 2>/dev/null
fi
cd /
tries=150
until rm -rf "$folder" 2>/dev/null || [ $tries = 0 ]; do tries=$((tries - 1)); kill -QUIT 0; sleep 0.1; done
`

export function keep(what: {
  folder: string
  account: Account | undefined
  command?: readonly string[]
}): Keeper {
  const child = spawn('/bin/sh', ['-c', script, 'pg-cutover-keeper', what.folder, ...(what.command ?? [])], {
    cwd: what.folder,
    detached: true,
    env: { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' },
    stdio: ['pipe', 'pipe', 'ignore', 'pipe'],
    ...what.account,
  })
  const [stdin, stdout, , lifeline] = child.stdio
  if (!stdin || !stdout || !(lifeline instanceof Socket)) throw new Error('the keeper has no pipes')
  // The command and its children hold the other end of the lifeline open: its end is theirs.
  const ended = new Promise<void>((resolve) => {
    lifeline.once('close', resolve)
  })
  const gone = new Promise<void>((resolve, reject) => {
    child.once('exit', () => resolve()).once('error', reject)
  })
  gone.catch(() => undefined)
  stdin.on('error', () => undefined)
  lifeline.on('error', () => undefined).resume()

  const pid = what.command ? firstNumber(stdout) : Promise.resolve(undefined)
  pid.catch(() => undefined)

  // A script that forgets its server must still be able to end, yet not while it waits for us.
  const handles = [child, lifeline, ...[stdin, stdout].filter((pipe) => pipe instanceof Socket)]
  let waiting = 0
  const whileWaiting = async <T>(work: Promise<T>): Promise<T> => {
    if (waiting++ === 0) for (const handle of handles) handle.ref()
    try {
      return await work
    } finally {
      if (--waiting === 0) for (const handle of handles) handle.unref()
    }
  }
  for (const handle of handles) handle.unref()

  return {
    pid: () => whileWaiting(pid),
    whenEnded: ended,
    ended: () => whileWaiting(ended),
    leave: () => {
      stdin.end('leave\n')
      return whileWaiting(gone)
    },
    clean: () => {
      stdin.end()
      return whileWaiting(gone)
    },
  }
}

async function firstNumber(from: Readable): Promise<number> {
  const text = await new Promise<string>((resolve, reject) => {
    from.once('data', (chunk) => resolve(String(chunk))).once('close', () => reject(new Error('no process')))
  })
  return Number(text)
}
