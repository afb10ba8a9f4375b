// A file as a subject of the contract: its outage is a folder that is gone, as when a mount is lost.
import { mkdtempSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileSource, type Source } from '../../../src/index.js'
import type { SourceSubject } from './subject.js'

export const fileSubject: SourceSubject = {
  name: 'fileSource',
  garbage: ['lvie', '', '{ "phase": 7 }', '{ "stage": "live" }', '["live"]', 'live\nnew', '{ "phase": "li'],
  noticesOutage: true,
  start({ silent } = {}) {
    const root = mkdtempSync(join(tmpdir(), 'source-contract-'))
    const folder = join(root, 'mounted')
    const file = join(folder, 'phase')
    const say = (value: unknown): void => {
      writeFileSync(join(root, 'next'), String(value))
      renameSync(join(root, 'next'), file)
    }
    mkdirSync(folder)
    if (!silent) say('old')
    // A folder that goes tells nothing, so that this is heard by the poll.
    const made = (): Source => fileSource(file, { pollMillis: 50 })
    return Promise.resolve({
      source: made(),
      another: made,
      say,
      outage: () => renameSync(folder, join(root, 'lost')),
      back(value) {
        renameSync(join(root, 'lost'), folder)
        say(value)
      },
      forget: () => rmSync(file),
      stop: () => rmSync(root, { recursive: true }),
    })
  },
}
