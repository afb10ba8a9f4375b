// Keeps the report of a run with all that is needed to judge it and to repeat it, and with nothing of where it ran.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import type { Machine, Versions } from '../machine.js'
import type { Report } from '../report.js'
import { runId, type Run } from './chapters.js'

export interface Stored extends Report {
  readonly command: string
  /** The day. */
  readonly date: string
  readonly commit: string
  /** With a tenth of the samples. */
  readonly quick: boolean
  readonly seed: number
  /** The load average of the minute before. */
  readonly load: number
  readonly machine: Machine
  readonly versions: Versions
}

export const FOLDER = 'docs/performance'

export const storedPath = (run: Run): string => `${FOLDER}/${runId(run)}.json`

export function store(root: string, run: Run, stored: Stored): void {
  const path = join(root, storedPath(run))
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, `${JSON.stringify(stored, withoutPlaces, 2)}\n`)
}

export function readStored(root: string, run: Run): Stored | undefined {
  const path = join(root, storedPath(run))
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8'), missed) as Stored) : undefined
}

/** JSON has no sign for what could not be measured, and null would pass for nothing and keep every limit. */
const missed = (_key: string, value: unknown): unknown => (value === null ? Number.NaN : value)

const URLS = /\b[a-z][a-z\d+.-]*:\/\/[^\s)\]"'`]+/gi
const PATHS = /(?<![\w.)\]*])\/[\w.@-]+(?:\/[\w.@-]+)+\/?/g

/** Messages of errors may get into a report, and with them addresses and folders. */
function withoutPlaces(_key: string, value: unknown): unknown {
  if (typeof value !== 'string') return value
  const cleaned = value.replace(URLS, '…').replace(PATHS, '…')
  const host = hostname()
  // A short name says nothing of a machine, and may be a word.
  return host.length > 3 && host !== 'localhost' ? cleaned.replaceAll(host, '…') : cleaned
}
