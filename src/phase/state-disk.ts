// The state file on its disk: looked at, replaced whole, emptied or taken away, each so that a loss of power keeps it.
import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { lstat, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { Phase } from './phases.js'
import { printState, readState, type StateReading } from './state-record.js'

// A temporary file that is older was left by a crash; a younger one may belong to another process at work.
const LEFT_BEHIND_MILLIS = 60_000
const MOST_BYTES = 4_096

export type Found = StateReading | { readonly kind: 'nothing' }

/** What a path holds for a migration. Never rejects: what cannot be looked at is a fault, and not to be replaced. */
export async function look(path: string, name: string): Promise<Found> {
  try {
    const entry = await lstat(path).catch(missing)
    if (entry === undefined) {
      const folder = await stat(dirname(path)).catch(missing)
      // A volume that is not mounted looks so, and what it remembers is then unknown, not nothing.
      return folder?.isDirectory() ? { kind: 'nothing' } : odd('has no folder to be in')
    }
    if (!entry.isFile()) return odd('is not a plain file')
    // Without blocking: by now it may be a pipe that nobody writes to.
    const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    try {
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(MOST_BYTES + 1), 0, MOST_BYTES + 1, 0)
      return bytesRead > MOST_BYTES
        ? odd('was not written by pg-cutover')
        : readState(buffer.subarray(0, bytesRead), name)
    } finally {
      await handle.close()
    }
  } catch (error) {
    return odd(reasonOf(error))
  }
}

/** Has the path hold this phase, or nothing, and rejects if it could not. What is not ours is never replaced. */
export async function put(path: string, name: string, phase: Phase | undefined): Promise<void> {
  const found = await look(path, name)
  if (found.kind === 'fault' && !found.replaceable) throw new Refusal(found.reason)
  if (phase === undefined) {
    if (found.kind !== 'nothing') await unlink(path)
  } else if (found.kind !== 'phase' || found.phase !== phase) {
    await replace(path, printState(name, phase, new Date().toISOString()))
  }
  await syncFolder(dirname(path))
}

/**
 * For when {@link put} has failed: a phase that is not so any more is worse than none. Emptied and not taken away, since
 * an empty file says that something was known, and needs no space. Resolves with what a restart would find.
 */
export async function forget(path: string, name: string, wanted: Phase | undefined): Promise<string> {
  const found = await look(path, name)
  const named = found.kind === 'phase' ? found.phase : undefined
  if (found.kind !== 'fault') {
    if (named === wanted) return 'what it says may not survive a loss of power'
    try {
      await blank(path)
    } catch {
      if (named === undefined) return 'a restart would know nothing but the `fallback`'
      try {
        await unlink(path)
        return 'it was removed, and a restart would know nothing but the `fallback`'
      } catch {
        return 'a restart would serve the earlier phase that it names: remove it'
      }
    }
  }
  return 'a restart would have to wait for the source'
}

/** Takes away the temporary files that crashes have left between writing and renaming. Never rejects. */
export async function sweep(path: string): Promise<void> {
  const start = `.${basename(path)}.`
  const names = await readdir(dirname(path)).catch(() => [])
  for (const name of names) {
    if (!name.startsWith(start) || !/^[0-9a-f-]{36}\.tmp$/.test(name.slice(start.length))) continue
    const file = join(dirname(path), name)
    const made = await stat(file).catch(() => undefined)
    if (made && Date.now() - made.mtimeMs > LEFT_BEHIND_MILLIS) await unlink(file).catch(() => {})
  }
}

/** Why a file could not be written; continues a sentence about it. */
export function reasonOf(error: unknown): string {
  if (error instanceof Refusal) return error.message
  const { code = 'an unknown error', syscall = 'an access' } = error as NodeJS.ErrnoException
  return `failed at ${syscall} with ${code}`
}

class Refusal extends Error {}

const odd = (reason: string): StateReading => ({ kind: 'fault', reason, replaceable: false })

function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error
}

async function replace(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`)
  try {
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(text)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await unlink(temporary).catch(() => {})
    throw error
  }
}

async function blank(path: string): Promise<void> {
  const handle = await open(path, 'w', 0o600)
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Else the new name may be gone after a loss of power. Not every system can do this to a folder. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(folder, constants.O_RDONLY)
  try {
    await handle.sync()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error
  } finally {
    await handle.close()
  }
}
