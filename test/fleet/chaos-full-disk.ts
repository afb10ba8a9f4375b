// A service in direct mode whose state file lies on a disk that gets full before its phase changes; it says what it sees.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createCutover, memorySource } from '../../src/index.js'
import type { Side } from '../../src/index.js'
import { endWithParent } from './end-with-parent.js'

export interface FullDiskOrder {
  readonly urls: Readonly<Record<Side, string>>
  /** Where the state file is; filled up where it is a disk of its own, with a few pages. */
  readonly disk: string
  readonly own: boolean
}

endWithParent()
const order = JSON.parse(process.argv[2] ?? '{}') as FullDiskOrder
const say = (what: string): void => void writeSync(1, `${what}\n`)
const stateFile = join(order.disk, 'phase')

const serve = (source: ReturnType<typeof memorySource>) => {
  const cutover = createCutover({
    name: 'full-disk',
    old: { connectionString: order.urls.old, max: 1 },
    new: { connectionString: order.urls.new, max: 1 },
    source,
    stateFile,
    mirror: 'none',
  })
  cutover.on('warning', ({ code, message }) => {
    if (code === 'STATE_FILE') say(/\bE[A-Z]{4,}|is empty/.exec(message)?.[0] ?? message)
  })
  return cutover
}
const sideOf = async (cutover: ReturnType<typeof serve>): Promise<string> =>
  (await cutover.pool.query<{ side: string }>('select side from here')).rows[0]?.side ?? 'nobody'

function fill(): string {
  if (!order.own) execFileSync('prlimit', ['--pid', String(process.pid), '--fsize=0'])
  const file = openSync(join(order.disk, 'crowd'), 'w')
  try {
    for (let pages = 0; pages < 1_000; pages++) writeSync(file, Buffer.alloc(4_096))
    return 'nothing'
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  } finally {
    closeSync(file)
  }
}

const source = memorySource('old')
const first = serve(source)
await first.ready()
say(`serves ${await sideOf(first)}`)
say(`the disk says ${fill()}`)
const moved = new Promise((resolve) => first.once('phase', resolve))
source.set('new')
await moved
say(`serves ${await sideOf(first)}`)
await first.end()
say(`the file has ${readFileSync(stateFile).length} bytes`)

// The next one must not believe what is not so any more.
const next = memorySource()
const second = serve(next)
// By then its file was read.
await once(second, 'warning')
say(`begins with ${second.phase ?? 'no phase'}`)
// Whether there is room for it again depends on whose pages the disk's are.
second.removeAllListeners('warning')
next.set('new')
await second.ready()
say(`serves ${await sideOf(second)}`)
await second.end()
