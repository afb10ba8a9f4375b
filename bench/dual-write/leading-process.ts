// A process of its own that leads the relay, for what is measured in another one. Its parent ends it by disconnecting.
import { once } from 'node:events'
import { fork } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isDeepStrictEqual } from 'node:util'
import { createCutover, memorySource, type Cutover, type DualWriteOptions } from '../../src/index.js'
import { CALLERS } from './callers.js'
import { withClient, type Urls } from './ground.js'

const LOOK_MILLIS = 50

/** One process of the service. */
export async function joined(name: string, urls: Urls, dualWrite: DualWriteOptions): Promise<Cutover> {
  const cutover = createCutover({
    name,
    old: { connectionString: urls.old, max: CALLERS },
    new: { connectionString: urls.new, max: CALLERS },
    source: memorySource('old'),
    control: true,
    mirror: 'dual-write',
    dualWrite,
  })
  await cutover.ready()
  return cutover
}

async function isEqual(urls: Urls): Promise<boolean> {
  const [old, next] = await Promise.all(
    [urls.old, urls.new].map((url) =>
      withClient(url, async (client) => (await client.query('select count(*), sum(n) from item')).rows[0]),
    ),
  )
  return isDeepStrictEqual(old, next)
}

/** In its phase `mirror`, with everything on both sides. */
export async function leading(name: string, urls: Urls, dualWrite: DualWriteOptions): Promise<Cutover> {
  const cutover = await joined(name, urls, dualWrite)
  await cutover.advance('mirror')
  // Nothing of a backfill is left, nor of what was written meanwhile.
  while (!(await isEqual(urls))) await delay(LOOK_MILLIS)
  return cutover
}

export interface LeadingProcess {
  close(): Promise<void>
}

export async function leadingProcess(name: string, urls: Urls): Promise<LeadingProcess> {
  const child = fork(fileURLToPath(import.meta.url), [], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const ended = once(child, 'exit')
  child.send({ name, urls })
  const first = await Promise.race([once(child, 'message'), ended])
  if (first[0] !== 'leading') throw new Error('the process that is to lead has ended')
  return {
    close: async () => {
      if (child.connected) child.disconnect()
      await ended
    },
  }
}

if (process.send && process.argv[1] === fileURLToPath(import.meta.url)) {
  const [told] = (await once(process, 'message')) as [{ name: string; urls: Urls }]
  const cutover = await leading(told.name, told.urls, {})
  process.send('leading')
  await once(process, 'disconnect')
  await cutover.end()
}
