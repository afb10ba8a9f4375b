// What is installed of what is compared: whatever is missing is said in a plain line, and the rest is measured.
import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'

export type Found<T> = { readonly here: T } | { readonly missing: string }

/** Debian has it among the programs of the administrator, which are seldom in an ordinary user's path. */
const FURTHER_FOLDERS = ['/usr/sbin', '/usr/local/sbin']

/** The path of PgBouncer's program. */
export function findPgBouncer(path = process.env['PATH'] ?? '', further = FURTHER_FOLDERS): Found<string> {
  const program = [...path.split(delimiter), ...further]
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, 'pgbouncer'))
    .find(isProgram)
  return program === undefined
    ? { missing: 'PgBouncer is not installed (Debian package pgbouncer): left out' }
    : { here: program }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** What `load` imports, unless one of these packages is not installed; any other failure is thrown. */
export async function imported<T>(
  what: string,
  packages: readonly string[],
  load: () => Promise<T>,
): Promise<Found<T>> {
  try {
    return { here: await load() }
  } catch (error) {
    const lacking = isNotFound(error) && packages.find((name) => error.message.includes(`'${name}`))
    if (!lacking) throw error
    return { missing: `${what} is not installed (npm package ${lacking}): left out` }
  }
}

const isNotFound = (error: unknown): error is Error =>
  error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'

const require = createRequire(import.meta.url)

/** Of an installed package. Its file is looked for, since a package need not export it. */
export function packageVersion(name: string): string {
  const file = require.resolve
    .paths(name)
    ?.map((folder) => join(folder, name, 'package.json'))
    .find((path) => existsSync(path))
  if (file === undefined) throw new Error(`no package ${name}`)
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
