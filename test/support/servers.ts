// Starts real Postgres servers of two majors for the demo and the tests, and leaves nothing of them behind.
import { randomInt } from 'node:crypto'
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { binaries, serverAccount, temporaryFolder } from './binaries.js'
import type { Major } from './binaries.js'
import { makeDataFolder } from './data-folder.js'
import { keep } from './keeper.js'
import type { Keeper } from './keeper.js'

export type { Major } from './binaries.js'

export interface ServerOptions {
  /** Lines of postgresql.conf, on top of the defaults. */
  readonly settings?: Record<string, string>
  /**
   * How a client proves that it knows the password. Default `scram-sha-256`, which is a third of what a connection costs its
   * two ends; `password` shows it as it is.
   */
  readonly auth?: 'scram-sha-256' | 'password'
  /** A folder for what initdb makes: a server that is given the same one as another before it copies that. */
  readonly seeds?: string | undefined
}

export interface Server {
  readonly major: Major
  readonly host: '127.0.0.1'
  readonly port: number
  readonly password: string
  readonly dataFolder: string
  readonly logFile: string
  /** The postmaster's, at this moment. */
  readonly pid: number
  /** As the superuser `postgres`; the default database is `postgres`. */
  url(database?: string): string
  /** The data is kept and the server may be started again on the same port. */
  stop(mode?: 'fast' | 'immediate'): Promise<void>
  /** SIGKILL to the postmaster; resolves when its children have gone too. The data is kept. */
  kill(): Promise<void>
  start(): Promise<void>
  /** Resolves when it runs no more, by our doing or another's, and its last process has gone. */
  ended(): Promise<void>
  /** Stopped and removed. May be called again. */
  destroy(): Promise<void>
}

export interface Pair {
  readonly old: Server
  readonly new: Server
  destroy(): Promise<void>
}

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  // Its files are in the data folder, so that a killed server leaves none in /dev/shm.
  dynamic_shared_memory_type: 'mmap',
  shared_buffers: '64MB',
  max_connections: '200',
  wal_level: 'logical',
  fsync: 'on',
  max_wal_senders: '40',
  max_replication_slots: '40',
  max_logical_replication_workers: '40',
  max_worker_processes: '60',
  max_prepared_transactions: '10',
  autovacuum: 'on',
  timezone: 'UTC',
  // Apply workers are started again no faster than this; its default of 5 s would be idled away in most tests.
  wal_retrieve_retry_interval: '200ms',
  log_timezone: 'UTC',
  log_line_prefix: '%m [%p] %q%a@%d ',
}

const START_MILLIS = 30_000
const STOP_MILLIS = 10_000

export async function startPair(options: ServerOptions = {}): Promise<Pair> {
  const [old, next] = await Promise.allSettled([startServer(15, options), startServer(18, options)])
  if (old.status === 'fulfilled' && next.status === 'fulfilled') {
    const both = [old.value, next.value]
    return {
      old: old.value,
      new: next.value,
      destroy: async () => void (await Promise.all(both.map((server) => server.destroy()))),
    }
  }
  for (const side of [old, next]) if (side.status === 'fulfilled') await side.value.destroy()
  const reasons = [old, next].flatMap((side) => (side.status === 'rejected' ? [side.reason] : []))
  throw new AggregateError(reasons, `no pair of servers: ${reasons.map(String).join('; ')}`)
}

export async function startServer(major: Major, options: ServerOptions = {}): Promise<Server> {
  const account = serverAccount()
  const native = binaries(major, account)
  const folder = temporaryFolder(`pg-cutover-${major}-`, account)
  const dataFolder = join(folder, 'data')
  const logFile = join(folder, 'log')
  const postgres = [join(native, 'bin/postgres'), '-D', dataFolder]

  let keeper = keep({ folder, account })
  let running: { pid: number } | undefined
  /** Killed by somebody else, and not yet reaped: its process id is still taken, and a new server would respect it. */
  let unreaped = false
  let port = 0
  let password = ''
  let destroyed: Promise<void> | undefined

  // The new keeper is there before the old one goes: at no moment is the folder without one.
  const handOver = async (next: Keeper): Promise<void> => {
    const before = keeper
    keeper = next
    await before.leave()
  }
  const run = async (command: readonly string[]): Promise<number> => {
    await handOver(keep({ folder, account, command }))
    const pid = await keeper.pid()
    if (pid === undefined) throw new Error(`Postgres ${major} could not be run`)
    return pid
  }
  const settle = async (): Promise<void> => {
    await keeper.ended()
    running = undefined
    await handOver(keep({ folder, account }))
    unreaped = false
  }

  const runToEnd = async (command: readonly string[]): Promise<void> => {
    await run(command)
    await settle()
  }

  const initialise = async (): Promise<void> => {
    password = await makeDataFolder({ major, native, folder, account, seeds: options.seeds, run: runToEnd })
    const config = join(dataFolder, 'postgresql.conf')
    if (!existsSync(config)) throw new Error(`initdb ${major} failed: ${logTail(logFile)}`)
    const settings = Object.entries({ ...SETTINGS, ...options.settings })
    appendFileSync(
      config,
      settings.map(([key, value]) => `${key} = '${value.replaceAll("'", "''")}'\n`).join(''),
    )
    if (options.auth === undefined) return
    const rules = join(dataFolder, 'pg_hba.conf')
    writeFileSync(rules, readFileSync(rules, 'utf8').replaceAll('scram-sha-256', options.auth))
  }

  const start = async (): Promise<void> => {
    if (running) return
    if (unreaped) await settle()
    const pid = await run([...postgres, '-p', String(port)])
    let ended = false
    void keeper.whenEnded.then(() => (ended = true))
    const deadline = Date.now() + START_MILLIS
    while (!isReady(dataFolder, pid)) {
      if (ended || Date.now() > deadline) {
        if (!ended) process.kill(pid, 'SIGQUIT')
        await settle()
        throw new Error(`Postgres ${major} on port ${port} did not start: ${logTail(logFile)}`)
      }
      await delay(5)
    }
    const mine = { pid }
    running = mine
    void noticeEnd(mine, keeper.whenEnded)
  }

  // Also when somebody else has killed it.
  const noticeEnd = async (mine: typeof running, ended: Promise<void>): Promise<void> => {
    await ended
    if (running !== mine) return
    running = undefined
    unreaped = true
  }

  const stop = async (signal: 'SIGINT' | 'SIGQUIT' | 'SIGKILL'): Promise<void> => {
    if (!running) return
    const { pid } = running
    process.kill(pid, signal)
    // A fast stop waits for its replication clients, and a stalled one could hold it for a minute.
    const impatience = setTimeout(() => process.kill(pid, 'SIGQUIT'), STOP_MILLIS)
    await settle().finally(() => clearTimeout(impatience))
  }

  let last: Promise<void> = Promise.resolve()
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    const mine = destroyed
      ? Promise.reject(new Error(`this Postgres ${major} was destroyed`))
      : last.then(work, work)
    last = mine.catch(() => undefined)
    return mine
  }

  try {
    await initialise()
    for (let attempt = 1; ; attempt++) {
      port = await freePort()
      try {
        await start()
        break
      } catch (error) {
        if (attempt === 10 || !String(error).includes('Address already in use')) throw error
      }
    }
  } catch (error) {
    await keeper.clean()
    throw error
  }

  return {
    major,
    host: '127.0.0.1',
    port,
    password,
    dataFolder,
    logFile,
    get pid() {
      if (!running) throw new Error(`this Postgres ${major} is not running`)
      return running.pid
    },
    url: (database = 'postgres') =>
      `postgres://postgres:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`,
    stop: (mode = 'fast') => inTurn(() => stop(mode === 'fast' ? 'SIGINT' : 'SIGQUIT')),
    kill: () => inTurn(() => stop('SIGKILL')),
    start: () => inTurn(start),
    ended: () => (running ? keeper.ended() : Promise.resolve()),
    destroy: () => (destroyed ??= last.then(() => keeper.clean())),
  }
}

/** The postmaster says so itself in the eighth line; the first one tells its file from that of a killed one. */
function isReady(dataFolder: string, pid: number): boolean {
  const lines = linesOf(join(dataFolder, 'postmaster.pid'))
  return Number(lines[0]) === pid && lines[7]?.trim() === 'ready'
}

// A server that starts after a crash removes the killed one's file at any moment.
function linesOf(file: string): string[] {
  try {
    return readFileSync(file, 'utf8').split('\n')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/** Below the range from which the kernel gives ports to outgoing connections: a stopped server finds its own free again. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(15_000, 32_000)
    const free = await new Promise<boolean>((resolve) => {
      const probe = createServer()
      probe.once('error', () => resolve(false))
      probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
    })
    if (free) return port
  }
}

function logTail(file: string): string {
  return existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n').slice(-6).join('\n') : 'no log'
}
