// Says on what the figures were measured, since they mean nothing without it.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os'
import { join } from 'node:path'

export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memory: string
  readonly kernel: string
}

export function machine(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown processor',
    cores: availableParallelism(),
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    // Without what whoever built it has appended.
    kernel: `${type()} ${/^[\d.]+/.exec(release())?.[0] ?? ''}`.trim(),
  }
}

/** Of Node, of what is measured, of its driver and of both servers. */
export type Versions = Readonly<Record<string, string>>

export function versions(root: string): Versions {
  const of = (folder: string): string => {
    const { version } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as {
      version: string
    }
    return version
  }
  // The package of a server appends its own version to the server's.
  const server = (name: string): string =>
    of(`node_modules/${name}`)
      .replace(/-.*$/, '')
      .replace(/^(\d+\.\d+)\.\d+$/, '$1')
  return {
    Node: process.versions.node,
    pg: of('node_modules/pg'),
    Postgres: `${server('pg15')} and ${server('pg18')}`,
    'pg-cutover': of('.'),
  }
}

export const load = (): number => Number((loadavg()[0] ?? Number.NaN).toFixed(1))

/** What is measured: changes in tests and pages do not make figures another commit's. */
const MEASURED = ['src', 'adapters', 'bench']
const CHANGED = 'with changes'

/** The commit whose code is measured, in words: the code may have changes that are in no commit, or its commit be unknown. */
export function commitOf(root: string): string {
  try {
    const git = (...args: string[]): string =>
      execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: 'pipe' }).trim()
    const hash = git('rev-parse', '--short', 'HEAD')
    return git('status', '--porcelain', '--', ...MEASURED) === '' ? hash : `${hash} ${CHANGED}`
  } catch {
    return 'unknown'
  }
}

export const isWholly = (commit: string): boolean => commit !== 'unknown' && !commit.endsWith(CHANGED)
