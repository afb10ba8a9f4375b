// The file that remembers a phase: whole after every crash, believed only as it was written, and never a reason to stop.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import * as fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { PHASE_NAMES, type Phase } from '../../src/phase/phases.js'
import { StateFile } from '../../src/phase/state-file.js'
import { printState, readState } from '../../src/phase/state-record.js'
import { compiled } from '../support/compiled.js'
import { seededRandom } from '../support/seeded-random.js'

// Each costs a new process.
const ROUNDS = 2
const AT = '2026-03-01T12:00:00.000Z'
const LIVE = printState('orders', 'live', AT)

let folder: string
let file: string
let warned: string[]

beforeEach(() => {
  folder = fs.mkdtempSync(join(tmpdir(), 'pg-cutover-state-'))
  file = join(folder, 'orders.state')
  warned = []
})

afterEach(() => {
  vi.useRealTimers()
  fs.rmSync(folder, { recursive: true, force: true })
})

const open = (path = file): StateFile => new StateFile(path, 'orders', (message) => void warned.push(message))
const text = (path = file): string => fs.readFileSync(path, 'utf8')
const inode = (path: string): number | undefined => {
  try {
    return fs.lstatSync(path).ino
  } catch {
    return undefined
  }
}
const phaseIn = (path = file): string => {
  const found = readState(fs.readFileSync(path), 'orders')
  return found.kind === 'phase' ? found.phase : found.reason
}

describe('what is written', () => {
  it.each(PHASE_NAMES)('%s is read by the next process', async (phase) => {
    const writer = open()
    await writer.store(phase)
    expect([await open().read(), writer.fault, warned]).toEqual([phase, undefined, []])
  })

  it('is one line, for its owner alone, and alone in its folder', async () => {
    await open().store('live')
    expect(text()).toMatch(/^\{"format":"pg-cutover state","version":1,"name":"orders","phase":"live".*\}\n$/)
    expect(fs.statSync(file).mode & 0o777).toBe(0o600)
    expect(fs.readdirSync(folder)).toEqual(['orders.state'])
  })

  it('is the last of what was asked for together, and nothing once nothing is to be remembered', async () => {
    const state = open()
    await Promise.all([state.store('shadow'), state.store('live'), state.store('rampdown')])
    expect(phaseIn()).toBe('rampdown')
    await state.store(undefined)
    expect([fs.readdirSync(folder), await open().read(), warned]).toEqual([[], undefined, []])
  })

  it('is not written again when it is there', async () => {
    await open().store('live')
    const { ino } = fs.statSync(file)
    await open().store('live')
    expect(fs.statSync(file).ino).toBe(ino)
  })
})

describe('what is read', () => {
  it('is nothing of any content that differs by one byte, or by its end', () => {
    for (let at = 0; at < LIVE.length; at++) {
      const changed = Buffer.from(LIVE)
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(readState(changed, 'orders')).toHaveProperty('kind', 'fault')
      expect(readState(Buffer.from(LIVE.slice(0, at)), 'orders')).toHaveProperty('kind', 'fault')
    }
    expect(readState(Buffer.from(`${LIVE} `), 'orders')).toHaveProperty('kind', 'fault')
    expect(readState(Buffer.from(LIVE), 'orders')).toEqual({ kind: 'phase', phase: 'live' })
  })

  it.each<[string, string | Buffer, string, boolean]>([
    ['nothing', '', 'is empty', true],
    ['zeros, as after a loss of power', Buffer.alloc(200), 'is empty', true],
    ['half a line', LIVE.slice(0, 60), 'is cut off or damaged', true],
    ['another phase under the same checksum', LIVE.replace('"live"', '"old"'), 'has a wrong checksum', true],
    ['another format', LIVE.replace('"version":1', '"version":2'), 'another format', true],
    ['no phase of ours', printState('orders', 'hunter2' as Phase, AT), 'has a wrong checksum', true],
    ['bytes that are no text', Buffer.from([0xff, 0xfe, 0x00, 0x80]), 'was not written by pg-cutover', false],
    ['a plain phase', 'hunter2', 'was not written by pg-cutover', false],
    ['somebody else’s JSON', '{"password":"hunter2"}', 'was not written by pg-cutover', false],
    ['more than any line', LIVE + 'hunter2'.repeat(1_000), 'was not written by pg-cutover', false],
    [
      'the memory of another migration',
      printState('hunter2', 'old', AT),
      'belongs to another migration',
      false,
    ],
  ])('is no phase where it holds %s', async (_, content, reason, replaced) => {
    fs.writeFileSync(file, content)
    const state = open()
    expect(await state.read()).toBeUndefined()
    expect(state.fault).toContain(`the state file ${file} `)
    expect(state.fault).toContain(reason)
    expect(warned).toEqual([state.fault])
    // The source has spoken.
    await state.store('shadow')
    if (replaced) expect([phaseIn(), state.fault]).toEqual(['shadow', undefined])
    else expect(fs.readFileSync(file)).toEqual(Buffer.from(content))
    await state.close()
    expect([...warned, state.fault].join()).not.toContain('hunter2')
  })

  it.each<[string, () => string, string]>([
    ['a folder', () => (fs.mkdirSync(file), file), 'is not a plain file'],
    ['a link', () => (fs.symlinkSync('elsewhere', file), file), 'is not a plain file'],
    ['a pipe', () => (spawnSync('mkfifo', [file]), file), 'is not a plain file'],
    ['a device', () => '/dev/full', 'is not a plain file'],
    ['in a folder that is missing', () => join(folder, 'volume', 'state'), 'has no folder to be in'],
    ['in a file', () => (fs.writeFileSync(file, ''), join(file, 'state')), 'has no folder to be in'],
    ['longer than a name may be', () => join(folder, 'x'.repeat(300)), 'ENAMETOOLONG'],
  ])('is unknown, and the place stays as it is, where the path is %s', async (_, make, reason) => {
    const path = make()
    const before = inode(path)
    const state = open(path)
    expect(await state.read()).toBeUndefined()
    expect(state.fault).toContain(reason)
    await state.store('live')
    expect(state.fault).toContain(reason)
    expect(inode(path)).toBe(before)
    await state.close()
  })

  it('is no memory, and no fault, where there is no file', async () => {
    const state = open()
    expect([await state.read(), state.fault, warned]).toEqual([undefined, undefined, []])
  })
})

describe('a file that cannot be written', () => {
  it('is told once, tried again, and right as soon as it can be', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const state = open()
    await state.store('shadow')
    fs.rmSync(folder, { recursive: true })
    await state.store('live')
    expect(state.fault).toMatch(/has no folder to be in, so .* It is tried again/)
    vi.advanceTimersByTime(30_000)
    await state.close()
    expect(warned).toHaveLength(1)
    await state.store('live')
    fs.mkdirSync(folder)
    vi.advanceTimersByTime(30_000)
    await state.store('live')
    expect([phaseIn(), state.fault, warned.length]).toEqual(['live', undefined, 1])
  })

  it('no longer names the phase that was left', async () => {
    // So long that the name of a temporary file beside it is longer than the system takes.
    file = join(folder, 'x'.repeat(240))
    fs.writeFileSync(file, printState('orders', 'shadow', AT))
    const state = open()
    await state.store('live')
    expect(state.fault).toMatch(/ENAMETOOLONG, so a restart would have to wait for the source/)
    expect(fs.readdirSync(folder)).toHaveLength(1)
    await state.close()
    const next = open()
    expect([await next.read(), next.fault]).toEqual([undefined, expect.stringContaining('is empty')])
  })

  it('is not waited for longer than a second, and gets what was asked for last once its disk answers', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const state = open()
    await state.store('shadow')
    const disk = stalledDisk()
    const stored = state.store('live')
    await vi.advanceTimersByTimeAsync(1_000)
    await stored
    expect(state.fault).toMatch(/was not written within 1000 ms/)
    const taken = state.store('old')
    disk.answer()
    await taken
    await disk.closed
    expect([phaseIn(), state.fault]).toEqual(['old', undefined])
  })

  it('is not read for longer than a second either', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    fs.writeFileSync(file, LIVE)
    const disk = stalledDisk()
    const state = open()
    const read = state.read()
    await vi.advanceTimersByTimeAsync(1_000)
    expect([await read, state.fault]).toEqual([undefined, expect.stringContaining('was not read within')])
    disk.answer()
    await disk.closed
  })

  /** Pipes that nobody writes to keep every thread that the process has for files, as a dead network mount does. */
  function stalledDisk(): { answer(): void; readonly closed: Promise<unknown> } {
    const pipes = Array.from({ length: Number(process.env['UV_THREADPOOL_SIZE'] ?? 4) }, (_, index) =>
      join(folder, `pipe ${index}`),
    )
    execFileSync('mkfifo', pipes)
    const opened = pipes.map((pipe) => fs.promises.open(pipe, 'r'))
    return {
      answer() {
        // Waits for the thread that reads, which may not have come as far as the pipe yet.
        for (const pipe of pipes) fs.closeSync(fs.openSync(pipe, fs.constants.O_WRONLY))
      },
      closed: Promise.all(opened.map(async (handle) => (await handle).close())),
    }
  }
})

describe('a crash', () => {
  const script = fileURLToPath(new URL('state-writer.ts', import.meta.url))

  it('leaves temporary files that a later process takes away, and nobody else’s', async () => {
    const left = join(folder, '.orders.state.6f0f3c5e-6d0e-4f6c-9a3b-2f1c7d8e9a10.tmp')
    const atWork = join(folder, '.orders.state.6f0f3c5e-6d0e-4f6c-9a3b-2f1c7d8e9a11.tmp')
    const foreign = join(folder, '.orders.state.backup.tmp')
    for (const path of [left, atWork, foreign]) fs.writeFileSync(path, LIVE.slice(0, 9))
    const longAgo = new Date(Date.now() - 61_000)
    for (const path of [left, foreign]) fs.utimesSync(path, longAgo, longAgo)
    const state = open()
    expect(await state.read()).toBeUndefined()
    await state.store('live')
    expect(
      fs
        .readdirSync(folder)
        .map((name) => join(folder, name))
        .toSorted(),
    ).toEqual([atWork, foreign, file].toSorted())
  })

  it('in the middle of writing leaves one of the two phases, whole', async () => {
    const seed = Date.now() % 1_000_000
    const random = seededRandom(seed)
    const found: string[] = []
    for (let round = 0; round < ROUNDS; round++) {
      const child = spawn(process.execPath, [compiled(script), file], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      await once(child.stdout, 'data')
      await delay(random() * 20)
      child.kill('SIGKILL')
      await once(child, 'exit')
      found.push(phaseIn())
    }
    const names = fs.readdirSync(folder).filter((name) => name !== 'orders.state')
    expect(
      found.every((phase) => phase === 'shadow' || phase === 'live'),
      `seed ${seed}: ${found.join(', ')}`,
    ).toBe(true)
    // At most the one that each of them was writing.
    expect(names.length).toBeLessThanOrEqual(ROUNDS)
  })
})
