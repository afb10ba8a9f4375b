// The ways to lead writers to another database: each writes through what an application holds, and moves there and back.
import { once } from 'node:events'
import pg from 'pg'
import { createCutover, memorySource, type Cutover, type CutoverEvent, type Side } from '../../src/index.js'
import type { Urls } from '../dual-write/ground.js'
import { bouncerMirror } from './bouncer-mirror.js'
// Of the types alone: whether it can be loaded is found out when it is.
import type * as LaunchDarklyPart from './launchdarkly.js'
import { startPgBouncer } from './pgbouncer.js'

export const CONNECTIONS = 16
export const ITEMS = 10_000
const WRITE = 'update item set n = n + 1 where id = $1 returning inet_server_port() as port'
const GIVE_UP_MILLIS = 30_000

export interface Mover {
  /** One acknowledged write to this row; the port of the server that did it. */
  write(id: number): Promise<number>
  /** What has to stand before a move, while nobody writes. */
  prepare(to: Side): Promise<void>
  move(to: Side): Promise<void>
  close(): Promise<void>
}

const nothing = (): Promise<void> => Promise.resolve()

async function writeTo(pool: pg.Pool, id: number): Promise<number> {
  const { rows } = await pool.query<{ port: number }>(WRITE, [id])
  return rows[0]?.port ?? Number.NaN
}

/** Idle connections that the other side closes are no failure of a write. */
const quiet = (pool: pg.Pool): pg.Pool => pool.on('error', () => undefined)

const poolTo = (connectionString: string): pg.Pool =>
  quiet(new pg.Pool({ connectionString, max: CONNECTIONS }))

/** One process without control: hold, drain, flip. */
export async function cutoverAlone(urls: Urls): Promise<Mover> {
  const source = memorySource('old')
  const cutover = createCutover({ ...sidesOf(urls), name: 'bench', source, control: false, mirror: 'none' })
  quiet(cutover.pool)
  await cutover.ready()
  return {
    write: (id) => writeTo(cutover.pool, id),
    prepare: () => settled(cutover),
    async move(to) {
      const signal = AbortSignal.timeout(GIVE_UP_MILLIS)
      const ended = once(cutover, 'cutover', { signal }) as Promise<[CutoverEvent]>
      source.set(to)
      expectDone((await ended)[0])
    },
    close: () => cutover.end(),
  }
}

/** With control and a mirror by replication: every step of a move, with its proof that nothing is missing. */
export async function cutoverWithData(urls: Urls): Promise<Mover> {
  const cutover = createCutover({
    ...sidesOf(urls),
    name: 'bench',
    source: memorySource('old'),
    control: true,
    mirror: 'replication',
    shadow: false,
  })
  quiet(cutover.pool)
  await cutover.ready()
  await cutover.advance('mirror')
  await cutover.advance('shadow')
  return {
    write: (id) => writeTo(cutover.pool, id),
    prepare: () => settled(cutover),
    async move(to) {
      expectDone(await cutover.advance(to === 'new' ? 'live' : 'shadow'))
    },
    close: () => cutover.end(),
  }
}

const sidesOf = (urls: Urls) => ({
  old: { connectionString: urls.old, max: CONNECTIONS },
  new: { connectionString: urls.new, max: CONNECTIONS },
})

async function settled(cutover: Cutover): Promise<void> {
  while (cutover.status().route !== 'direct') await once(cutover, 'route')
}

function expectDone(event: CutoverEvent | undefined): void {
  if (event?.outcome !== 'done') throw new Error(`the writer was not changed: ${event?.reason}`)
}

/** Pause, switch, resume; with `data`, the other side is made equal before and proved to be so within the pause. */
export async function bouncer(program: string, urls: Urls, data: boolean): Promise<Mover> {
  const process = await startPgBouncer(program, urls.old, CONNECTIONS)
  const pool = poolTo(process.url)
  const mirror = data ? await bouncerMirror(urls) : undefined
  return {
    write: (id) => writeTo(pool, id),
    prepare: (to) => mirror?.mirrorTo(to) ?? nothing(),
    move: (to) => process.lead(urls[to], () => mirror?.passed(to) ?? nothing()),
    async close() {
      await pool.end()
      await process.close()
      await mirror?.close()
    },
  }
}

/** A pool for each side, and the flag says at each call which of them it is. Nothing is held and nothing drained. */
export async function staged(
  { startStaged, migrationOf }: typeof LaunchDarklyPart,
  urls: Urls,
): Promise<Mover> {
  const flags = await startStaged()
  const pools = { old: poolTo(urls.old), new: poolTo(urls.new) }
  const migration = migrationOf(flags.client, {
    old: (id: number) => writeTo(pools.old, id),
    new: (id: number) => writeTo(pools.new, id),
  })
  return {
    write: (id) => migration.write(id),
    prepare: nothing,
    move: (to) => flags.stage(to === 'new' ? 'complete' : 'off'),
    async close() {
      await flags.close()
      await Promise.all([pools.old.end(), pools.new.end()])
    },
  }
}
