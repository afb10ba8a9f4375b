// PgBouncer on loopback as an ordinary user, with a folder of its own: started, switched to another server, and ended.
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chownSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { serverAccount, temporaryFolder } from '../../test/support/binaries.js'
import { configOf, DATABASE, leadOf, USER, usersOf, versionOf } from './pgbouncer-words.js'
import { watched } from './watched.js'

const READY_WITHIN_MILLIS = 10_000
const CLOCK_TICKS_A_SECOND = 100

export interface PgBouncer {
  readonly version: string
  /** For clients of the database. */
  readonly url: string
  /** Microseconds of CPU time of its process so far; undefined where the system does not tell. */
  cpuMicros(): number | undefined
  /**
   * Calls wait from here on, and every connection to the server is closed when what runs on it has ended; then `meanwhile`,
   * then the database is this one, and what waited goes on.
   */
  lead(url: string, meanwhile?: () => Promise<void>): Promise<void>
  close(): Promise<void>
}

export async function startPgBouncer(program: string, url: string, connections: number): Promise<PgBouncer> {
  const version = versionOf(execFileSync(program, ['--version'], { encoding: 'utf8' }))
  const account = serverAccount()
  const folder = temporaryFolder('pg-cutover-pgbouncer-', account)
  const password = randomBytes(12).toString('hex')
  const port = await freePort()
  const [configFile, usersFile] = [join(folder, 'config'), join(folder, 'users')]
  const write = (file: string, text: string): void => {
    writeFileSync(file, text, { mode: 0o600 })
    if (account) chownSync(file, account.uid, account.gid)
  }
  const configure = (to: string): void =>
    write(configFile, configOf({ port, connections, usersFile, url: to }))
  write(usersFile, usersOf(password))
  configure(url)
  const process = await watched(folder, account, [program, configFile])
  const urlOf = (database: string): string => `postgres://${USER}:${password}@127.0.0.1:${port}/${database}`
  let admin: pg.Client
  try {
    admin = await connected(urlOf('pgbouncer'))
  } catch (error) {
    const log = readFileSync(join(folder, 'log'), 'utf8')
    await process.close()
    throw new Error(`PgBouncer did not start: ${log}`, { cause: error })
  }

  return {
    version,
    url: urlOf(DATABASE),
    cpuMicros: () => cpuMicrosOf(process.pid),
    async lead(to, meanwhile) {
      await admin.query(`pause ${DATABASE}`)
      try {
        await meanwhile?.()
        configure(to)
        await admin.query('reload')
      } finally {
        await admin.query(`resume ${DATABASE}`)
      }
      const { rows } = await admin.query<Record<string, unknown>>('show databases')
      const now = leadOf(rows)
      if (now.paused || now.port !== Number(new URL(to).port))
        throw new Error(`PgBouncer leads to ${JSON.stringify(now)}`)
    },
    async close() {
      await admin.end()
      await process.close()
    },
  }
}

async function connected(url: string): Promise<pg.Client> {
  const deadline = performance.now() + READY_WITHIN_MILLIS
  for (;;) {
    const client = new pg.Client({ connectionString: url })
    client.on('error', () => undefined)
    try {
      await client.connect()
      return client
    } catch (error) {
      if (performance.now() > deadline) throw error
      await delay(20)
    }
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  return port
}

/** From the kernel's line of a process; its name, which stands in brackets, may have spaces. */
function cpuMicrosOf(pid: number): number | undefined {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ')
    return ((Number(fields[11]) + Number(fields[12])) * 1_000_000) / CLOCK_TICKS_A_SECOND
  } catch {
    return undefined
  }
}
