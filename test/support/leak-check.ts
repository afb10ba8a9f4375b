// Runs around every test file and fails it when it leaves a database, a socket, a watcher, a process or a timer behind.
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll } from 'vitest'
import { undropped } from './databases.js'

const WATCHED = ['TCPSocketWrap', 'TCPServerWrap', 'FSEventWrap', 'ProcessWrap', 'Timeout'] as const

/** Sockets that were told to close need a few turns of the loop. */
const GRACE_MILLIS = 3_000

type Counts = Record<(typeof WATCHED)[number], number>

export function countResources(): Counts {
  const active = process.getActiveResourcesInfo()
  const count = (kind: string): number => active.filter((name) => name === kind).length
  return {
    TCPSocketWrap: count('TCPSocketWrap'),
    TCPServerWrap: count('TCPServerWrap'),
    FSEventWrap: count('FSEventWrap'),
    ProcessWrap: count('ProcessWrap'),
    Timeout: count('Timeout'),
  }
}

/** What is there now and was not there before, after a grace for what is on its way out. */
export async function leaksSince(before: Counts, graceMillis: number): Promise<string[]> {
  const deadline = Date.now() + graceMillis
  for (;;) {
    const now = countResources()
    const more = WATCHED.filter((kind) => now[kind] > before[kind])
    if (more.length === 0 || Date.now() > deadline)
      return more.map((kind) => `${kind}: ${before[kind]} before, ${now[kind]} after`)
    await delay(10)
  }
}

let before: Counts | undefined

beforeAll(() => {
  // The runner starts a file with a timer of its own that soon ends, behind which one of ours could hide.
  before = { ...countResources(), Timeout: 0 }
})

afterAll(async () => {
  const leaks = [...undropped].map((database) => `database not dropped: ${database}`)
  // The next file runs in the same process, and is not to be blamed for them.
  undropped.clear()
  if (before) leaks.push(...(await leaksSince(before, GRACE_MILLIS)))
  if (leaks.length > 0) throw new Error(`left behind by this file:\n${leaks.join('\n')}`)
})
