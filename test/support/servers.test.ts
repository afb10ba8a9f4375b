// Proves on real processes that a server leaves neither process, folder nor shared memory behind, however its owner ends.
import { execFileSync, fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, watch } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { afterEach, beforeAll, beforeEach, describe, expect, inject, it, vi } from 'vitest'
import type { Ending } from './abandon.js'
import { binaries, serverAccount } from './binaries.js'
import { compiled } from './compiled.js'
import { startPair, startServer } from './servers.js'
import type { Server } from './servers.js'

// Each test has a temporary folder of its own: whatever is left in it was left by that test.
let base: string

// Where this process has to copy the binaries first, the copy stays as long as the process does.
beforeAll(() => {
  for (const major of [15, 18] as const) binaries(major, serverAccount())
})

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'servers-test-'))
  // As root the servers run as somebody else, who has to be able to write here.
  chmodSync(base, 0o1777)
  vi.stubEnv('TMPDIR', base)
})

afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(base, { recursive: true, force: true })
})

/** The servers' folders; other programs keep caches in the same place. */
function folders(): string[] {
  return readdirSync(base).filter((name) => name.startsWith('pg-cutover-'))
}

async function untilRemoved(): Promise<void> {
  const watcher = watch(base)
  const deadline = AbortSignal.timeout(20_000)
  try {
    while (folders().length > 0) await once(watcher, 'change', { signal: deadline })
  } finally {
    watcher.close()
  }
}

/** Processes of the test's servers. Backends rename themselves, but they stay in the data folder. */
function processesLeft(): string[] {
  const all = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).trim().split('\n').slice(1)
  return all.filter((line) => {
    // The shell that removes the folder, and its last command, may still be on their way out.
    if (line.includes('pg-cutover-keeper') || line.includes(' rm -rf ')) return false
    return line.includes(base) || workingFolder(line.trim().split(' ')[0] ?? '').includes(base)
  })
}

function workingFolder(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return ''
  }
}

/** The id of the System V segment, as the postmaster noted it. */
function segment(dataFolder: string): string {
  const id = readFileSync(join(dataFolder, 'postmaster.pid'), 'utf8').split('\n')[6]?.trim().split(/\s+/)[1]
  if (id === undefined) throw new Error('no segment in postmaster.pid')
  return id
}

function segments(): string[] {
  const lines = execFileSync('ipcs', ['-m'], { encoding: 'utf8' }).split('\n')
  return lines.flatMap((line) => line.split(/\s+/)[1] ?? [])
}

async function ask(server: Server, text: string): Promise<unknown> {
  const client = new pg.Client(server.url())
  await client.connect()
  const { rows } = await client.query<unknown[]>({ text, rowMode: 'array' })
  await client.end()
  return rows[0]?.[0]
}

/** Runs the script in a process group of its own, as a terminal would, and waits for its word. */
async function abandoner(major: 15 | 18, ending: Ending): Promise<ChildProcess> {
  const script = fileURLToPath(new URL('abandon.ts', import.meta.url))
  const child = fork(
    compiled(script),
    [String(major), ending, ...(ending === 'starting' ? [] : [inject('seeds')])],
    {
      detached: true,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    },
  )
  await once(child, 'message')
  return child
}

const endings: [string, Ending, ((child: ChildProcess) => void)?][] = [
  ['gets Ctrl-C', 'wait', ({ pid = 0 }) => process.kill(-pid, 'SIGINT')],
  ['is terminated', 'wait', (child) => child.kill('SIGTERM')],
  ['is killed during initdb', 'starting', (child) => child.kill('SIGKILL')],
  ['is killed while its server is stopped', 'stopped', (child) => child.kill('SIGKILL')],
  ['is killed after its server was killed', 'killed', (child) => child.kill('SIGKILL')],
  ['throws', 'throw'],
  ['ends without a word', 'forget'],
  ['destroys its server', 'destroy'],
]

describe('a server leaves nothing behind', () => {
  it.each(endings)('when its owner %s', async (_, ending, end) => {
    const child = await abandoner(18, ending)
    const exit = once(child, 'exit')
    end?.(child)
    await exit
    await untilRemoved()
    expect(processesLeft()).toEqual([])
  })
})

describe.each([15, 18] as const)('a server of Postgres %i', (major) => {
  it('keeps data and port whoever stops it and however, and can be started again', async () => {
    const server = await startServer(major)
    const { port } = server
    await ask(server, 'create table kept as select 42 as answer')
    const stops: (() => Promise<void>)[] = [
      () => server.stop('fast'),
      () => server.stop('immediate'),
      () => server.kill(),
      async () => {
        // Not by our doing: it has to notice.
        process.kill(server.pid, 'SIGKILL')
        await server.ended()
      },
    ]
    for (const stop of stops) {
      const { pid } = server
      await stop()
      expect(() => server.pid).toThrow('is not running')
      expect(processesLeft()).toEqual([])
      await server.start()
      expect(server.port).toBe(port)
      expect(server.pid).not.toBe(pid)
      expect(await ask(server, 'select answer from kept')).toBe(42)
    }
    await server.destroy()
  })

  it('leaves nothing behind when its owner is killed', async () => {
    const child = await abandoner(major, 'wait')
    child.kill('SIGKILL')
    await untilRemoved()
    expect(processesLeft()).toEqual([])
  })

  it('is destroyed once, however often it is asked to, with the memory of its killed self', async () => {
    const server = await startServer(major, { seeds: inject('seeds') })
    const id = segment(server.dataFolder)
    expect(segments()).toContain(id)
    await server.kill()
    await Promise.all([server.destroy(), server.destroy()])
    await server.destroy()
    expect(folders()).toEqual([])
    expect(segments()).not.toContain(id)
    await expect(server.start()).rejects.toThrow('was destroyed')
  })
})

it('a server is a copy of what initdb has made for another, where both are given a place for that', async () => {
  const seeds = mkdtempSync(join(base, 'seeds-'))
  chmodSync(seeds, 0o1777)
  const made = async (): Promise<unknown[]> => {
    const server = await startServer(18, { seeds, settings: { work_mem: '7MB' } })
    const system = await ask(server, 'select system_identifier from pg_control_system()')
    await server.destroy()
    return [server.password, system]
  }
  const first = await made()
  expect(await made()).toEqual(first)
  expect(folders()).toEqual([])
  expect(processesLeft()).toEqual([])
})

describe('startPair', () => {
  it('gives two majors, each behind its password, with the settings that were asked for', async () => {
    const pair = await startPair({ seeds: inject('seeds'), settings: { work_mem: '7MB' } })
    for (const [server, version] of [
      [pair.old, 15],
      [pair.new, 18],
    ] as const) {
      const settings = ['server_version_num', 'wal_level', 'fsync', 'listen_addresses', 'work_mem']
      const shown = await ask(
        server,
        `select concat_ws(' ', ${settings.map((name) => `current_setting('${name}')`).join()})`,
      )
      expect(shown).toMatch(new RegExp(`^${version}\\d{4} logical on 127\\.0\\.0\\.1 7MB$`))
    }
    const guess = pair.new.url().replace(pair.new.password, 'guessed')
    await expect(new pg.Client(guess).connect()).rejects.toMatchObject({ code: '28P01' })
    await pair.destroy()
    expect(folders()).toEqual([])
  })

  it('leaves nothing behind when a setting is refused by the server', async () => {
    await expect(
      startPair({ seeds: inject('seeds'), settings: { shared_buffers: 'plenty' } }),
    ).rejects.toThrow('shared_buffers')
    expect(folders()).toEqual([])
    expect(processesLeft()).toEqual([])
  })
})
