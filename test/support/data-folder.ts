// Makes the data folder of a server: by initdb, or as a copy of what initdb has made for another server of the same run.
import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Account, Major } from './binaries.js'

export interface DataFolder {
  readonly major: Major
  /** Where `bin` is. */
  readonly native: string
  /** Of the server; `data` is made in it. */
  readonly folder: string
  readonly account: Account | undefined
  /** Where copies are kept for other servers, if anywhere. */
  readonly seeds: string | undefined
  /** Runs a command as the account, and resolves when it has ended. */
  run(command: readonly string[]): Promise<void>
}

/** Gives the superuser's password. Whether it has come about is seen by the configuration in it. */
export async function makeDataFolder(wanted: DataFolder): Promise<string> {
  const { major, folder, seeds, run } = wanted
  const data = join(folder, 'data')
  if (seeds === undefined) return initialise(wanted, data)
  const seed = join(seeds, String(major))
  if (existsSync(seed)) {
    await run(['cp', '-Rp', join(seed, 'data'), data])
    return readFileSync(join(seed, 'password'), 'utf8')
  }
  const password = await initialise(wanted, data)
  if (!existsSync(join(data, 'postgresql.conf'))) return password
  const aside = newFolder(join(seeds, randomBytes(6).toString('hex')), wanted.account)
  await run(['cp', '-Rp', data, aside])
  writeFileSync(join(aside, 'password'), password, { mode: 0o600 })
  try {
    renameSync(aside, seed)
  } catch (error) {
    // Another server was first.
    if (!existsSync(seed)) throw error
    rmSync(aside, { recursive: true })
  }
  return password
}

async function initialise({ native, folder, account, run }: DataFolder, data: string): Promise<string> {
  const password = randomBytes(12).toString('hex')
  const secret = join(folder, 'password')
  writeFileSync(secret, verifier(password), { mode: 0o600 })
  if (account) chownSync(secret, account.uid, account.gid)
  const flags = '-U postgres --auth=scram-sha-256 --encoding=UTF8 --locale=C --no-sync --no-instructions'
  await run([join(native, 'bin/initdb'), '-D', data, `--pwfile=${secret}`, ...flags.split(' ')])
  rmSync(secret)
  return password
}

function newFolder(path: string, account: Account | undefined): string {
  mkdirSync(path, { mode: 0o700 })
  if (account) chownSync(path, account.uid, account.gid)
  return path
}

/**
 * What a server keeps of a password, made with one round in place of 4096: these are most of what it costs a client to connect,
 * and do nothing for a password that nobody could guess.
 */
function verifier(password: string): string {
  const salt = randomBytes(16)
  const salted = pbkdf2Sync(password, salt, 1, 32, 'sha256')
  const keyed = (text: string): Buffer => createHmac('sha256', salted).update(text).digest()
  const stored = createHash('sha256').update(keyed('Client Key')).digest('base64')
  return `SCRAM-SHA-256$1:${salt.toString('base64')}$${stored}:${keyed('Server Key').toString('base64')}`
}
