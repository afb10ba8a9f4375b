// Moves the demo by a file alone, as mounted configuration is changed: every process watches it, and any of them may move.
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileSource } from '../src/index.js'
import { followed } from './followed.js'
import type { Ear, Mover } from './movers.js'

export function openFileMover(): Mover {
  const folder = mkdtempSync(join(tmpdir(), 'pg-cutover-demo-flag-'))
  const path = join(folder, 'phase')
  const write = (phase: string): void => {
    writeFileSync(`${path}.next`, phase)
    renameSync(`${path}.next`, path)
  }
  write('old')
  return {
    source: fileSource(path),
    autoAdvance: true,
    flag: { kind: 'file', path },
    opening: [
      `a file that every process watches, ${path}, which says "old"; from here on changes of it move the`,
      'traffic, and nothing else does',
    ],
    request: (_from, to) => `file → "${to}"`,
    async move(cutover, to) {
      const done = followed(cutover, to)
      write(to)
      return done
    },
    closing: () => Promise.resolve([]),
    close() {
      rmSync(folder, { recursive: true, force: true })
      return Promise.resolve()
    },
  }
}

/** The file is the first process's to take away. */
export const hearFile = (path: string): Ear => ({
  source: fileSource(path),
  autoAdvance: true,
  close: () => Promise.resolve(),
})
