// Finds a folder in memory where the servers of the tests may keep their files.
import { existsSync, readFileSync, statfsSync } from 'node:fs'

const FOLDER = '/dev/shm'
/** Two servers with their write-ahead logs, those that single files start, and a good margin. */
const BYTES = 4 * 1024 ** 3

/** Undefined where there is none, or not one that is large enough and lets programs be run from it. */
export function memoryFolder(): string | undefined {
  if (!existsSync(FOLDER) || !existsSync('/proc/mounts')) return undefined
  const mounts = readFileSync('/proc/mounts', 'utf8').split('\n')
  const options = mounts.findLast((line) => line.split(' ')[1] === FOLDER)?.split(' ')[3]
  // The binaries are copied to where the servers are if their user cannot read them where they were installed.
  if (options === undefined || options.split(',').includes('noexec')) return undefined
  const { bavail, bsize } = statfsSync(FOLDER)
  return bavail * bsize >= BYTES ? FOLDER : undefined
}
