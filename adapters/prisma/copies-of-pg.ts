// Finds out where the two copies of pg are that keep a pool of the one from being known to the other.
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** A sentence that names the copies as far as they can be found from here; they may be bundled, or linked elsewhere. */
export function copiesOfPg(): string {
  const ours = folderOf('pg', import.meta.url)
  const adapter =
    entryOf('@prisma/adapter-pg', join(process.cwd(), 'package.json')) ??
    entryOf('@prisma/adapter-pg', import.meta.url)
  const found = adapter === undefined ? undefined : folderOf('pg', adapter)
  // Then it is not the adapter that was handed in.
  const theirs = found === ours ? undefined : found
  const where = (name: string, folder: string | undefined): string =>
    `${name} uses ${folder ?? 'a copy that could not be found'}`
  return `${where('pg-cutover', ours)}, ${where('@prisma/adapter-pg', theirs)}`
}

function entryOf(name: string, from: string): string | undefined {
  try {
    return createRequire(from).resolve(name)
  } catch {
    return undefined
  }
}

function folderOf(name: string, from: string): string | undefined {
  const manifest = entryOf(`${name}/package.json`, from)
  return manifest === undefined ? undefined : dirname(manifest)
}
