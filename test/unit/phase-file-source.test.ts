// A file as a source: what it reports for each content, and that replacing it in any way ends with its last value.
import { spawnSync } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fileSource, type FileSourceOptions } from '../../src/phase/file-source.js'
import { parseWish } from '../../src/phase/phases.js'
import type { Source, SourceReport } from '../../src/phase/source.js'
import { compiled } from '../support/compiled.js'

const MIGRATION = { name: 'orders' }

let folder = ''
let file = ''
let source: Source | undefined
let heard: SourceReport[] = []
const reports = new EventEmitter()

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'file-source-'))
  file = join(folder, 'phase')
  heard = []
})

afterEach(async () => {
  await source?.close()
  rmSync(folder, { recursive: true, force: true })
})

// An hour: what these tests see comes from the watch, unless they poll on purpose.
async function watched(path = file, pollMillis = 3_600_000): Promise<Source> {
  source = fileSource(path, { pollMillis })
  await source.watch((report) => {
    heard.push(report)
    reports.emit('report')
  }, MIGRATION)
  return source
}

/** Resolves when the last report satisfies the check. */
async function until(check: (last: SourceReport | undefined) => boolean): Promise<void> {
  while (!check(heard.at(-1))) await once(reports, 'report', { signal: AbortSignal.timeout(5_000) })
}

const untilValue = (value: unknown): Promise<void> =>
  until((last) => last?.kind === 'value' && last.value === value)

const replace = (content: string): void => {
  writeFileSync(`${file}.tmp`, content)
  renameSync(`${file}.tmp`, file)
}

describe('contents', () => {
  it.each([
    ['live', 'live'],
    ['  live\r\n', 'live'],
    ['\uFEFFnew\n', 'new'],
    ['dualwrite', 'dualwrite'],
    ['hold', 'hold'],
    ['{ "phase": "shadow" }', 'shadow'],
    ['{ "phase": "shadow", "by": "me" }\n', 'shadow'],
  ])('%j is the wish %s', async (content, value) => {
    writeFileSync(file, content)
    await watched()
    expect(heard).toEqual([{ kind: 'value', value }])
    expect(() => parseWish(value)).not.toThrow()
  })

  it.each([
    ['', ''],
    ['liv', 'liv'],
    ['Live', 'Live'],
    ['live new', '8 bytes that are neither a word nor JSON'],
    ['{ "phase": "li', '14 bytes that are neither a word nor JSON'],
    ['DATABASE_URL=postgres://app:hunter2@db/app', '42 bytes that are neither a word nor JSON'],
    ['{ "stage": "live" }', 'JSON without "phase"'],
    ['["live"]', 'JSON without "phase"'],
    ['{ "phase": 7 }', 7],
    ['{ "phase": null }', null],
    ['l'.repeat(5_000_000), 'more than 4096 bytes'],
    ['\0\0\0\0', '4 bytes that are neither a word nor JSON'],
  ])('garbage %.40j is reported as it is, and is no phase', async (content, value) => {
    writeFileSync(file, content)
    await watched()
    expect(heard).toEqual([{ kind: 'value', value }])
    expect(() => parseWish(value)).toThrow(/is no phase/)
  })

  it('reports what cannot be read as unavailable', async () => {
    await watched()
    expect(heard).toEqual([{ kind: 'unavailable', reason: `${file} does not exist` }])
  })

  it('reports a folder as unavailable', async () => {
    mkdirSync(file)
    await watched()
    expect(heard).toEqual([{ kind: 'unavailable', reason: `${file} is not a plain file` }])
  })

  it.runIf(process.platform !== 'win32')('is not caught by a pipe that nobody writes to', async () => {
    spawnSync('mkfifo', [file])
    await watched()
    expect(heard).toEqual([{ kind: 'unavailable', reason: `${file} is not a plain file` }])
  })
})

describe('changes', () => {
  it('hears a file renamed over it', async () => {
    replace('old')
    await watched()
    replace('live')
    await untilValue('live')
    replace('{ "phase": "shadow" }')
    await untilValue('shadow')
  })

  it('hears a file written in place', async () => {
    writeFileSync(file, 'old')
    await watched()
    writeFileSync(file, 'live')
    await untilValue('live')
  })

  it('hears a file that appears, goes and comes back', async () => {
    await watched()
    replace('old')
    await untilValue('old')
    rmSync(file)
    await until((last) => last?.kind === 'unavailable')
    replace('old')
    await untilValue('old')
  })

  it('refuses a half-written value and takes the whole one', async () => {
    writeFileSync(file, 'old')
    await watched()
    writeFileSync(file, 'li')
    await untilValue('li')
    appendFileSync(file, 've')
    await untilValue('live')
    expect(heard.every((report) => report.kind === 'value')).toBe(true)
  })

  it('ends a burst with its last value', async () => {
    replace('old')
    await watched()
    for (let turn = 0; turn < 200; turn++) replace(turn % 2 === 0 ? 'mirror' : 'shadow')
    replace('live')
    await untilValue('live')
    expect(heard.length).toBeLessThan(200)
  })

  it('misses no change that comes while it reads', async () => {
    replace('old')
    await watched()
    // Each round hits another moment of the read that the first change causes.
    for (let round = 0; round < 60; round++) {
      replace('mirror')
      for (let turn = 0; turn < round; turn++) await new Promise((resolve) => setImmediate(resolve))
      replace(round % 2 === 0 ? 'shadow' : 'live')
      await untilValue(round % 2 === 0 ? 'shadow' : 'live')
    }
  })

  it('reports a value once, however often it is written', async () => {
    replace('old')
    await watched()
    for (let turn = 0; turn < 20; turn++) replace('old')
    replace('mirror')
    await untilValue('mirror')
    expect(heard.map((report) => report.kind === 'value' && report.value)).toEqual(['old', 'mirror'])
  })

  it('follows mounted configuration, where a link to a folder is swapped', async () => {
    for (const phase of ['old', 'live']) {
      mkdirSync(join(folder, `..${phase}`))
      writeFileSync(join(folder, `..${phase}`, 'phase'), phase)
    }
    symlinkSync('..old', join(folder, '..data'))
    symlinkSync('..data/phase', file)
    await watched()
    expect(heard).toEqual([{ kind: 'value', value: 'old' }])
    symlinkSync('..live', join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
    await untilValue('live')
  })

  it('polls where no change is reported: a link into another folder', async () => {
    mkdirSync(join(folder, 'elsewhere'))
    writeFileSync(join(folder, 'elsewhere', 'target'), 'old')
    symlinkSync('elsewhere/target', file)
    await watched(file, 10)
    writeFileSync(join(folder, 'elsewhere', 'target'), 'live')
    await untilValue('live')
  })

  it('watches again when its whole folder was replaced', async () => {
    const inner = join(folder, 'inner')
    const write = (phase: string): void => writeFileSync(join(inner, 'phase'), phase)
    mkdirSync(inner)
    write('old')
    await watched(join(inner, 'phase'), 1_000)
    rmSync(inner, { recursive: true })
    await until((last) => last?.kind === 'unavailable')
    mkdirSync(inner)
    write('live')
    await untilValue('live')
    // More changes than the poll alone could tell apart in the time.
    const start = performance.now()
    for (let change = 0; change < 8; change++) {
      const phase = change % 2 === 0 ? 'shadow' : 'mirror'
      write(phase)
      await untilValue(phase)
    }
    expect(performance.now() - start).toBeLessThan(4_000)
  })
})

describe('lifetime', () => {
  it('reports nothing after close and leaves nothing behind', async () => {
    const before = process.getActiveResourcesInfo().toSorted()
    replace('old')
    const closed = await watched(file, 10)
    await closed.close()
    await closed.close()
    replace('live')
    const probe = await watched(join(folder, 'phase'), 10)
    expect(heard.map((report) => report.kind === 'value' && report.value)).toEqual(['old', 'live'])
    await probe.close()
    expect(process.getActiveResourcesInfo().toSorted()).toEqual(before)
  })

  it('can watch again after close', async () => {
    replace('old')
    const again = await watched()
    await again.close()
    replace('live')
    await again.watch((report) => void heard.push(report), MIGRATION)
    expect(heard.map((report) => report.kind === 'value' && report.value)).toEqual(['old', 'live'])
  })

  it('closes while its first read is still running', async () => {
    replace('old')
    const early = fileSource(file)
    const watching = early.watch((report) => void heard.push(report), MIGRATION)
    await early.close()
    await watching
    expect(heard).toEqual([])
  })

  it('never keeps a process alive', () => {
    replace('old')
    const script = `import { fileSource } from ${JSON.stringify(compiled(join(import.meta.dirname, '../../src/phase/file-source.ts')))}
      await fileSource(${JSON.stringify(file)}).watch((report) => console.log(report.value))`
    const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      timeout: 20_000,
      encoding: 'utf8',
    })
    expect(child).toMatchObject({ status: 0, stdout: 'old\n' })
  })
})

describe('options', () => {
  it.each([
    ['', {}, 'path is an empty string'],
    ['phase', { pollMilis: 10 }, 'pollMilis is no option; did you mean pollMillis?'],
    ['phase', { pollMillis: 0 }, 'pollMillis is 0; expected a whole number of milliseconds'],
  ])('refuses %j with %o', (path, options, message) => {
    expect(() => fileSource(path, options as FileSourceOptions)).toThrow(message)
  })
})
