// The phase across restarts of direct mode: where a process begins to serve, and what it leaves behind when it dies or gives up.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createCutover, memorySource, type Cutover, type CutoverOptions } from '../../../src/index.js'
import type { Phase } from '../../../src/phase/phases.js'
import { printState, readState } from '../../../src/phase/state-record.js'
import { compiled } from '../../support/compiled.js'
import { eventWhere, reasonOf, sideOf, sides, stateOf } from './fixture.js'

const { urls } = await sides()

let folder: string
let stateFile: string
let cutovers: Cutover[] = []

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pg-cutover-memory-'))
  stateFile = join(folder, 'orders.state')
})

afterEach(async () => {
  vi.useRealTimers()
  for (const cutover of cutovers.splice(0)) await cutover.end()
  rmSync(folder, { recursive: true, force: true })
})

/** A process that starts while its source is silent, unless told otherwise. */
function start(more: Partial<CutoverOptions> = {}): Cutover {
  const cutover = createCutover({
    name: 'orders',
    old: { connectionString: urls.old, max: 4 },
    new: { connectionString: urls.new, max: 4 },
    source: memorySource(),
    stateFile,
    // Held calls are to be seen waiting, whatever they ask.
    heldReadsMax: 0,
    ...more,
  })
  cutovers.push(cutover)
  return cutover
}

const remember = (phase: Phase): void =>
  writeFileSync(stateFile, printState('orders', phase, new Date().toISOString()))
const remembered = (): string => {
  const found = readState(readFileSync(stateFile), 'orders')
  return found.kind === 'phase' ? found.phase : found.reason
}

describe('a process that starts while its source is silent', () => {
  it('serves by what the last one was told, and not by its fallback', async () => {
    const source = memorySource('old')
    const first = start({ source })
    await first.ready()
    source.set('live')
    await eventWhere(first, 'phase', ({ to }) => to === 'live')
    await first.end()
    const next = start({ fallback: 'old' })
    await next.ready()
    expect(await sideOf(next.pool)).toBe('new')
    expect(next.status()).toMatchObject({
      phase: 'live',
      phaseFrom: 'stateFile',
      stateFile: { path: stateFile, fault: undefined },
      source: { lastHeard: undefined },
    })
  })

  it('serves by its fallback without a memory, and does not remember that', async () => {
    const first = start({ fallback: 'new' })
    await first.ready()
    expect([await sideOf(first.pool), first.status().phaseFrom]).toEqual(['new', 'fallback'])
    await first.end()
    const next = start({ fallback: 'old' })
    await next.ready()
    expect(await sideOf(next.pool)).toBe('old')
  })

  it.each([
    ['garbage', 'old'],
    ['the memory of another migration', printState('invoices', 'old', '')],
    ['an empty file', ''],
  ])('serves nothing with %s, not even by its fallback, until the source speaks', async (_, content) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    writeFileSync(stateFile, content)
    const source = memorySource()
    const cutover = start({ source, fallback: 'old' })
    const warned = eventWhere(cutover, 'warning', ({ code }) => code === 'STATE_FILE')
    const call = sideOf(cutover.pool)
    const ready = reasonOf(cutover.ready())
    const { message } = await warned
    expect(message).toContain('`fallback` does not apply')
    expect(await stateOf(call)).toBe('pending')
    expect(cutover.status()).toMatchObject({ phaseFrom: undefined, stateFile: { fault: message } })
    await vi.advanceTimersByTimeAsync(5_000)
    expect((await reasonOf(call)).message).toContain('no phase is known')
    expect(await ready).toMatchObject({ code: 'ERR_PHASE_UNKNOWN' })
    expect((await ready).message).toMatch(
      /the source "memory" named no phase .*; the state file .*orders\.state/,
    )
    vi.useRealTimers()
    source.set('new')
    await eventWhere(cutover, 'phase', ({ to }) => to === 'new')
    expect([await sideOf(cutover.pool), cutover.status().phaseFrom]).toEqual(['new', 'source'])
  })
})

describe('the first word of the source after a restart', () => {
  it('is a move with a drain where it names the other side', async () => {
    remember('old')
    const source = memorySource()
    const cutover = start({ source })
    await cutover.ready()
    const client = await cutover.pool.connect()
    await client.query('begin')
    const draining = eventWhere(cutover, 'step', ({ step }) => step === 'drain')
    source.set('live')
    await draining
    const held = sideOf(cutover.pool)
    expect(await stateOf(held)).toBe('pending')
    expect([await sideOf(client), cutover.phase]).toEqual(['old', 'old'])
    await client.query('commit')
    client.release()
    expect([await held, cutover.phase]).toEqual(['new', 'live'])
  })

  it('moves nothing where it names the same side', async () => {
    remember('mirror')
    const source = memorySource('shadow')
    const cutover = start({ source })
    const routes: string[] = []
    cutover.on('route', ({ route }) => routes.push(route))
    await eventWhere(cutover, 'phase', ({ to }) => to === 'shadow')
    expect([routes, remembered(), cutover.status().phaseFrom]).toEqual([
      ['releasing', 'direct'],
      'shadow',
      'source',
    ])
  })
})

describe('a move', () => {
  it('that is given up is forgotten: the file names what is served', async () => {
    remember('old')
    const cutover = start({ drainTimeoutMillis: 30 })
    await cutover.ready()
    const client = await cutover.pool.connect()
    const noted = eventWhere(cutover, 'step', ({ step }) => step === 'hold').then(remembered)
    await expect(cutover.advance('new')).rejects.toMatchObject({ code: 'ERR_DRAIN_TIMEOUT' })
    expect([await noted, remembered()]).toEqual(['new', 'old'])
    client.release()
    await cutover.advance('new')
    expect(remembered()).toBe('new')
  })

  it('from a fallback that is given up leaves no memory', async () => {
    const cutover = start({ fallback: 'old', drainTimeoutMillis: 30 })
    await cutover.ready()
    const client = await cutover.pool.connect()
    await expect(cutover.advance('new')).rejects.toMatchObject({ code: 'ERR_DRAIN_TIMEOUT' })
    client.release()
    expect(() => remembered()).toThrow('ENOENT')
  })

  it('that end() gives up is forgotten too', async () => {
    remember('old')
    const cutover = start()
    await cutover.ready()
    const client = await cutover.pool.connect()
    const draining = eventWhere(cutover, 'step', ({ step }) => step === 'drain')
    const moved = reasonOf(cutover.advance('new'))
    await draining
    const ended = cutover.end()
    client.release()
    await ended
    expect([(await moved).message, remembered()]).toEqual(['the migration was ended in this process', 'old'])
  })

  it('to a side that cannot be opened is never noted', async () => {
    remember('old')
    const cutover = start({ new: { connectionString: `${urls.new}_not_there` } })
    await cutover.ready()
    await sideOf(cutover.pool)
    await expect(cutover.advance('new')).rejects.toThrow('does not exist')
    expect(remembered()).toBe('old')
  })

  it('goes on where the file cannot be written', async () => {
    remember('old')
    const source = memorySource('old')
    const cutover = start({ source })
    await cutover.ready()
    await cutover.advance('shadow')
    rmSync(folder, { recursive: true })
    const warned = eventWhere(cutover, 'warning', ({ code }) => code === 'STATE_FILE')
    source.set('live')
    await eventWhere(cutover, 'phase', ({ to }) => to === 'live')
    expect((await warned).message).toContain('has no folder to be in')
    expect([await sideOf(cutover.pool), cutover.status().stateFile?.fault]).toEqual([
      'new',
      (await warned).message,
    ])
  })

  it('in which the process is killed is gone on with by the next one, which has nothing under way', async () => {
    const script = fileURLToPath(new URL('killed-in-a-move.ts', import.meta.url))
    const child = spawn(process.execPath, [compiled(script), stateFile, urls.old, urls.new], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [said] = (await once(child.stdout, 'data')) as [Buffer]
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect([String(said).trim(), remembered()]).toEqual(['old, draining', 'live'])
    const next = start({ fallback: 'old' })
    await next.ready()
    expect([await sideOf(next.pool), next.status().phaseFrom]).toEqual(['new', 'stateFile'])
  })
})

it('is remembered by the rows alone where there is control', () => {
  expect(() => start({ control: true })).toThrow('stateFile is given and control is not false')
})
