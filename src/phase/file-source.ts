// A source held in a file: a phase as plain text or as JSON, watched, and safe to replace while it is read.
import { resolve } from 'node:path'
import { CutoverError } from '../errors.js'
import { readTable, shapeOf, type OptionTable } from '../options.js'
import type { FileWatch } from './file-watch.js'
import type { Source } from './source.js'

export interface FileSourceOptions {
  /**
   * How often the file is read besides at each change, for file systems that report none (network mounts, links into
   * other folders). Milliseconds; default 2,000.
   */
  readonly pollMillis?: number | undefined
}

const TABLE: OptionTable<{ pollMillis: number }> = {
  pollMillis: {
    default: 2_000,
    expected: 'a whole number of milliseconds from 10 to 3,600,000',
    accepts: (value) => Number.isSafeInteger(value) && Number(value) >= 10 && Number(value) <= 3_600_000,
  },
}

/**
 * A source that reads its wish from a file: a phase name, or JSON with one as `phase`. Replace the file by renaming
 * over it or write it in place: a value that is half written is no phase and is refused, and the last phase stays. A
 * missing file is reported as unavailable. Throws `ERR_OPTION`; never keeps a process alive.
 */
export function fileSource(path: string, options: FileSourceOptions = {}): Source {
  if (typeof path !== 'string' || path === '')
    throw new CutoverError('ERR_OPTION', `fileSource: path is ${shapeOf(path)}; expected the path of a file`)
  const { pollMillis } = readTable(TABLE, options, 'fileSource: ')
  const file = resolve(path)
  let watching: Promise<FileWatch> | undefined
  return {
    name: `file ${file}`,
    async watch(report) {
      const before = watching
      // Loaded only here, since few services have several kinds of sources.
      watching = (async () => {
        await (await before)?.close()
        const { watchFile } = await import('./file-watch.js')
        return watchFile(file, pollMillis, report)
      })()
      await (
        await watching
      ).begun
    },
    async close() {
      const closing = watching
      watching = undefined
      await (await closing)?.close()
    },
  }
}
