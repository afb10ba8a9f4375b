// LISTEN that moves: nothing is lost in a planned move, and what may have been lost is told.
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server } from 'node:net'
import pg from 'pg'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { Listeners } from '../../../src/cutover/listen.js'
import { readOptions } from '../../../src/cutover/read-options.js'
import {
  memorySource,
  type Cutover,
  type CutoverOptions,
  type Heard,
  type Listener,
  type Side,
} from '../../../src/index.js'
import { startProxy } from '../../support/proxy.js'
import { eventWhere, lease, reasonOf, sides, stateOf, type Driven, type Sides } from './fixture.js'

const { drive, observe, until, urls, ...made } = await sides()

for (const side of ['old', 'new'] as const) await observe(side, 'create table fenced (id int)')

let cleanups: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** Ended before what its connections go through is closed. */
function migrate(more?: Partial<CutoverOptions>): Cutover {
  const cutover = made.migrate(more)
  cleanups.push(() => cutover.end())
  return cutover
}

/** Coordinated mode by itself, which proves that nobody else has opened the other side. */
const coordinated = (name: string): Cutover =>
  migrate({ name, control: true, mirror: 'none', tables: ['public.fenced'] })

interface Ear {
  readonly heard: Heard[]
  readonly listener: Listener
  /** Resolves when what was heard fits. */
  until(fits: (heard: readonly Heard[]) => boolean): Promise<void>
}

function ear(): Ear {
  const heard: Heard[] = []
  const waiting = new Set<() => void>()
  return {
    heard,
    listener(one) {
      heard.push(one)
      for (const look of waiting) look()
    },
    until: (fits) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!fits(heard)) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      }),
  }
}

const payloads = (heard: readonly Heard[]): string[] =>
  heard.map((one) => (one.kind === 'notification' ? one.payload : one.reason))
const last =
  (word: string) =>
  (heard: readonly Heard[]): boolean =>
    payloads(heard).at(-1) === word

const notify = async (side: Side, payload: string, channel = 'jobs'): Promise<void> => {
  await observe(side, 'select pg_notify($1, $2)', [channel, payload])
}

const OUR_BACKENDS = `from pg_stat_activity where application_name = 'pg-cutover listen' and datname = current_database()`
const terminate = (side: Side): ReturnType<Sides['observe']> =>
  observe(side, `select pg_terminate_backend(pid, 5000) ${OUR_BACKENDS}`)
const nobodyListens = (side: Side): Promise<void> => until(side, `not exists (select ${OUR_BACKENDS})`)

describe('listen', () => {
  it('tells each listener of its channel who notified, what and where, over one connection', async () => {
    const cutover = migrate()
    const name = `Räder "und" '$'`
    const [one, two, other] = [ear(), ear(), ear()]
    await cutover.listen(name, one.listener)
    const second = await cutover.listen(name, two.listener)
    await cutover.listen('other', other.listener)
    const [row] = await observe<{ pid: number }>('old', 'select pg_backend_pid() as pid')
    await notify('old', 'a', name)
    await observe('old', 'notify other')
    await other.until(last(''))
    const told = { kind: 'notification', channel: name, payload: 'a', processId: row?.pid, side: 'old' }
    expect([one.heard, two.heard]).toEqual([[told], [told]])
    expect(other.heard).toMatchObject([{ channel: 'other', payload: '' }])
    expect(await observe('old', `select count(*)::int as n ${OUR_BACKENDS}`)).toEqual([{ n: 1 }])
    await second.close()
    await notify('old', 'b', name)
    await one.until(last('b'))
    expect(payloads(two.heard)).toEqual(['a'])
  })

  it('is over with the last listener, of a channel and of all', async () => {
    const cutover = migrate()
    const [one, two] = [ear(), ear()]
    const jobs = await cutover.listen('jobs', one.listener)
    const mails = await cutover.listen('mails', two.listener)
    await jobs.close()
    await jobs.close()
    expect(await observe('old', `select query ${OUR_BACKENDS}`)).toEqual([{ query: 'unlisten "jobs"' }])
    await notify('old', 'unheard')
    await notify('old', 'heard', 'mails')
    await two.until(last('heard'))
    expect(one.heard).toEqual([])
    await mails.close()
    await nobodyListens('old')
    await cutover.listen('jobs', one.listener)
    await notify('old', 'again')
    await one.until(last('again'))
    expect(payloads(one.heard)).toEqual(['again'])
  })

  it('goes on for the others where a listener throws', async () => {
    const cutover = migrate()
    const own = process.rawListeners('uncaughtException')
    process.removeAllListeners('uncaughtException')
    try {
      const thrown = once(process, 'uncaughtException')
      const failing = ear()
      await cutover.listen('jobs', () => {
        throw new Error('a mistake of mine')
      })
      await cutover.listen('jobs', failing.listener)
      await notify('old', 'a')
      await failing.until(last('a'))
      expect((await thrown)[0]).toMatchObject({ message: 'a mistake of mine' })
    } finally {
      for (const listener of own)
        process.on('uncaughtException', listener as NodeJS.UncaughtExceptionListener)
    }
  })

  it('waits for the phase, and is refused when the migration ends before', async () => {
    const source = memorySource()
    const cutover = migrate({ source })
    const { heard, listener } = ear()
    const waiting = cutover.listen('jobs', listener)
    expect(await stateOf(waiting)).toBe('pending')
    await nobodyListens('old')
    source.set('old')
    await waiting
    expect(heard).toEqual([])

    const late = migrate({ name: 'late', source: memorySource() })
    const refused = reasonOf(late.listen('jobs', listener))
    await late.end()
    expect(await refused).toMatchObject({ code: 'ERR_ENDED' })
    expect(await reasonOf(late.listen('jobs', listener))).toMatchObject({ code: 'ERR_ENDED' })
  })

  it.each([
    ['no channel', '', () => {}, 'listen: channel is ""'],
    ['a channel that Postgres would cut', 'ü'.repeat(32), () => {}, '1 to 63 bytes'],
    ['a channel that is none', 7, () => {}, 'listen: channel is 7'],
    ['no listener', 'jobs', undefined, 'listen: listener is missing'],
  ])('refuses %s', async (_, channel, listener, message) => {
    const error = await reasonOf(migrate().listen(channel as string, listener as Listener))
    expect(error).toMatchObject({ code: 'ERR_OPTION' })
    expect(error.message).toContain(message)
  })
})

describe('a planned move', () => {
  it('of coordinated mode loses nothing, tells of no gap, and leaves nobody listening there', async () => {
    const cutover = coordinated('planned')
    const { heard, listener, until: untilHeard } = ear()
    await cutover.listen('jobs', listener)
    const over = new AbortController()
    const caller = async (id: number): Promise<string[]> => {
      const sent: string[] = []
      while (!over.signal.aborted) {
        sent.push(`${id}:${sent.length}`)
        await cutover.pool.query('select pg_notify($1, $2)', ['jobs', sent.at(-1)])
        // At rest one is enough.
        if (cutover.status().route === 'direct')
          await once(cutover, 'route', { signal: over.signal }).catch(() => {})
      }
      return sent
    }
    const callers = [0, 1, 2, 3].map(caller)
    await cutover.advance('live')
    await nobodyListens('old')
    await cutover.rollback()
    await nobodyListens('new')
    over.abort()
    const sent = await Promise.all(callers)
    await untilHeard((all) => all.length >= sent.flat().length)
    expect(heard.filter((one) => one.kind === 'resync')).toEqual([])
    const by = (id: number): string[] => payloads(heard).filter((one) => one.startsWith(`${id}:`))
    // In the order in which each caller has notified, across both moves.
    expect([0, 1, 2, 3].map(by)).toEqual(sent)
    const turns = heard.map((one) => one.side).filter((side, at, all) => side !== all[at - 1])
    expect(turns).toEqual(['old', 'new', 'old'])
  })

  it('of direct mode loses nothing of its own, and tells that others may have gone before', async () => {
    const cutover = migrate()
    const { heard, listener, until: untilHeard } = ear()
    await cutover.listen('jobs', listener)
    await cutover.pool.query(`notify jobs, 'before'`)
    await cutover.advance('live')
    await cutover.pool.query(`notify jobs, 'after'`)
    await untilHeard(last('after'))
    expect(payloads(heard)).toEqual(['before', 'moved', 'after'])
    expect(heard.map(({ side }) => side)).toEqual(['old', 'new', 'new'])
  })

  it('of another process is told as a gap', async () => {
    const cutover = coordinated('followed')
    const { heard, listener, until: untilHeard } = ear()
    await cutover.ready()
    await cutover.listen('jobs', listener)
    await coordinated('followed').advance('live')
    // The fence tells this process.
    await cutover.pool.query('insert into fenced values (1)').catch(() => {})
    await untilHeard(last('moved'))
    await cutover.pool.query(`notify jobs, 'after'`)
    await untilHeard(last('after'))
    expect(payloads(heard)).toEqual(['moved', 'after'])
  })

  it('that is aborted is nothing to the listeners', async () => {
    const cutover = migrate({ drainTimeoutMillis: 20 })
    const { heard, listener, until: untilHeard } = ear()
    await cutover.listen('jobs', listener)
    const client = await cutover.pool.connect()
    await expect(cutover.advance('live')).rejects.toMatchObject({ code: 'ERR_DRAIN_TIMEOUT' })
    client.release()
    await nobodyListens('new')
    await notify('old', 'after')
    await untilHeard(last('after'))
    expect(payloads(heard)).toEqual(['after'])
  })

  it('that is aborted tells nothing of the other side', async () => {
    const { core, listeners } = listening()
    const { heard, listener, until: untilHeard } = ear()
    await listeners.listen('jobs', listener)
    await core.arm()
    const emit = vi.spyOn(pg.Client.prototype, 'emit')
    await notify('new', 'of the other')
    const there: unknown = expect.objectContaining({ payload: 'of the other' })
    await vi.waitFor(() => expect(emit).toHaveBeenCalledWith('notification', there), { interval: 1 })
    emit.mockRestore()
    core.release('old')
    await nobodyListens('new')
    await notify('old', 'after')
    await untilHeard(last('after'))
    expect(payloads(heard)).toEqual(['after'])
  })

  it('names a client of the pool that listens, and says what to use', async () => {
    const cutover = migrate({ drainTimeoutMillis: 20 })
    const client = await cutover.pool.connect()
    await client.query('LISTEN jobs')
    const error = await reasonOf(cutover.advance('live'))
    client.release(true)
    expect(error).toMatchObject({ code: 'ERR_DRAIN_TIMEOUT' })
    expect(error.message).toContain('it holds a client for LISTEN: use cutover.listen')
  })
})

describe('a move, step by step', () => {
  it('tells of no gap where the other side was heard before it was decided to open it', async () => {
    const { core, events, listeners } = listening()
    const { heard, listener, until: untilHeard } = ear()
    await listeners.listen('jobs', listener)
    await core.arm()
    await notify('new', 'already there')
    // Also for a channel that is new now.
    const late = ear()
    await listeners.listen('late', late.listener)
    core.hold(lease())
    await core.drain(1_000)
    expect(heard).toEqual([])
    decided(events)
    core.release('new')
    await notify('new', 'after')
    await notify('new', 'after', 'late')
    await untilHeard(last('after'))
    await late.until(last('after'))
    expect(payloads(heard)).toEqual(['already there', 'after'])
    expect(payloads(late.heard)).toEqual(['after'])
  })

  it('tells of a gap where the connection to the other side was not there all the time', async () => {
    const { core, events, listeners } = listening()
    const { heard, listener, until: untilHeard } = ear()
    await listeners.listen('jobs', listener)
    await core.arm()
    decided(events)
    await terminate('new')
    core.hold(lease())
    await core.drain(1_000)
    core.release('new')
    await untilHeard(last('moved'))
    await notify('new', 'after')
    await untilHeard(last('after'))
    expect(payloads(heard)).toEqual(['moved', 'after'])
  })

  it('tells of what is on its way from the side that was left before anything of the other', async () => {
    const { proxy, core, heard, untilHeard } = await leavingOldStalled()
    await notify('old', 'first')
    core.release('new')
    await notify('new', 'second')
    // It has come, since what comes after it on the same server has.
    const witness = ear()
    const beside = listening()
    beside.core.release('new')
    await beside.listeners.listen('jobs', witness.listener)
    await notify('new', 'third')
    await witness.until(last('third'))
    expect(heard).toEqual([])
    await proxy.resume()
    await untilHeard(last('third'))
    expect(payloads(heard)).toEqual(['first', 'second', 'third'])
    await nobodyListens('old')
  })

  it('tells of a gap where the side that was left dies before everything is heard', async () => {
    const { proxy, core, heard, untilHeard } = await leavingOldStalled()
    await notify('old', 'lost')
    core.release('new')
    await notify('new', 'after')
    proxy.cut()
    await untilHeard((all) => all.length === 2)
    expect(payloads(heard).toSorted()).toEqual(['after', 'reconnected'])
  })

  it('tells of a gap where the side that was left does not answer in time', async () => {
    const { core, heard, untilHeard } = await leavingOldStalled()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    core.release('new')
    await vi.advanceTimersByTimeAsync(2_000)
    vi.useRealTimers()
    await untilHeard(last('reconnected'))
    await notify('new', 'after')
    await untilHeard(last('after'))
    expect(payloads(heard)).toEqual(['reconnected', 'after'])
  })
})

describe('a connection that is lost', () => {
  it('is made anew, and the gap is told once the channels are heard again', async () => {
    const cutover = migrate()
    const { heard, listener, until: untilHeard } = ear()
    await cutover.listen('jobs', listener)
    await terminate('old')
    await notify('old', 'perhaps missed')
    await untilHeard((all) => all.some(({ kind }) => kind === 'resync'))
    await notify('old', 'after')
    await untilHeard(last('after'))
    expect(heard).toContainEqual({ kind: 'resync', channel: 'jobs', reason: 'reconnected', side: 'old' })
    expect(heard.filter(({ kind }) => kind === 'resync')).toHaveLength(1)
  })

  it('is tried again for as long as there is nobody, with one warning, and ends with the migration', async () => {
    const proxy = await startProxy(Number(new URL(urls.old).port))
    cleanups.push(() => proxy.close())
    const cutover = migrate({ old: { connectionString: proxy.url(urls.old) } })
    const warnings: string[] = []
    cutover.on('warning', ({ code }) => warnings.push(code))
    const { heard, listener, until: untilHeard } = ear()
    await proxy.refuse()
    const warned = eventWhere(cutover, 'warning', ({ code }) => code === 'LISTEN')
    const listening = cutover.listen('jobs', listener)
    expect((await warned).message).toContain('the old database cannot be listened to')
    await proxy.resume()
    await listening
    expect(heard).toEqual([])
    await proxy.refuse()
    const again = eventWhere(cutover, 'warning', ({ code }) => code === 'LISTEN')
    proxy.cut()
    await again
    await proxy.resume()
    await untilHeard(last('reconnected'))
    expect(warnings).toEqual(['LISTEN', 'LISTEN'])
    await proxy.refuse()
    proxy.cut()
    const never = reasonOf(cutover.listen('mails', listener))
    await cutover.end()
    expect(await never).toMatchObject({ code: 'ERR_ENDED' })
  })
})

it('warns once of a server that takes connections and drops them', async () => {
  const dropping = createServer((socket) => void socket.destroy()).listen(0, '127.0.0.1')
  await once(dropping, 'listening')
  cleanups.push(() => new Promise((resolve) => dropping.close(resolve)))
  const cutover = migrate({ old: { host: '127.0.0.1', port: portOf(dropping) } })
  const warnings: string[] = []
  cutover.on('warning', ({ code }) => warnings.push(code))
  const listening = reasonOf(cutover.listen('jobs', () => {}))
  for (let attempt = 0; attempt < 3; attempt++) await once(dropping, 'connection')
  expect(warnings).toEqual(['LISTEN'])
  await cutover.end()
  expect(await listening).toMatchObject({ code: 'ERR_ENDED' })
})

it('warns of a pooler in between, through which nothing may ever be heard', async () => {
  // As a pooler does, it gives its own process ids to its clients.
  const pooler = createServer((client) => {
    const server = connect(Number(new URL(urls.old).port), '127.0.0.1')
    client.pipe(server).on('error', () => client.destroy())
    client.on('error', () => server.destroy()).on('close', () => server.destroy())
    server.on('data', (bytes) => {
      const key = bytes.indexOf(Buffer.from([0x4b, 0, 0, 0, 12]))
      if (key >= 0) bytes.writeInt32BE(1, key + 5)
      client.write(bytes)
    })
  }).listen(0, '127.0.0.1')
  await once(pooler, 'listening')
  cleanups.push(() => new Promise((resolve) => pooler.close(resolve)))
  const url = new URL(urls.old)
  url.port = String(portOf(pooler))
  const cutover = migrate({ old: { connectionString: url.href } })
  const warned = eventWhere(cutover, 'warning', ({ code }) => code === 'LISTEN')
  await cutover.listen('jobs', () => {})
  expect((await warned).message).toContain('is reached through a pooler')
})

const portOf = (server: Server): number => (server.address() as AddressInfo).port

/** A gate that is driven by hand, with what listens beside it. */
function listening(more: { readonly old?: string } = {}): Driven & { readonly listeners: Listeners } {
  const driven = drive({}, more.old === undefined ? {} : { old: { connectionString: more.old } })
  const options = readOptions({
    name: 'orders',
    old: { connectionString: more.old ?? urls.old },
    new: { connectionString: urls.new },
    source: memorySource(),
  })
  const listeners = new Listeners(driven.core, driven.events, options)
  cleanups.push(() => listeners.close())
  return { ...driven, listeners }
}

/** A move that is decided, with what OLD still has to say to its listener held up on the way. */
async function leavingOldStalled() {
  const proxy = await startProxy(Number(new URL(urls.old).port))
  cleanups.push(() => proxy.close())
  const { core, events, listeners } = listening({ old: proxy.url(urls.old) })
  const { heard, listener, until: untilHeard } = ear()
  await listeners.listen('jobs', listener)
  await core.arm()
  core.hold(lease())
  await core.drain(1_000)
  decided(events)
  proxy.stall('to-client')
  return { proxy, core, heard, untilHeard }
}

const decided = (events: Driven['events']): void =>
  events.publish('step', { name: 'orders', epoch: 1, direction: 'old→new', step: 'decide', state: 'done' })
