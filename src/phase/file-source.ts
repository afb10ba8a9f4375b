// A source held in a file: a phase as plain text or as JSON, watched, and safe to replace while it is read.
import { watch as watchFolder, constants, type FSWatcher } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import { CutoverError } from '../errors.js'
import { readTable, shapeOf, type OptionTable } from '../options.js'
import type { Source, SourceReport } from './source.js'

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

const MOST_BYTES = 4_096

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
  const folder = dirname(file)
  const name = basename(file)
  let report: ((report: SourceReport) => void) | undefined
  let watcher: { readonly of: FSWatcher; readonly inode: number } | undefined
  let timer: NodeJS.Timeout | undefined
  let reading: Promise<void> | undefined
  let changed = false
  let last = ''

  async function watchAgain(): Promise<void> {
    const inode = await stat(folder).then(
      (found) => found.ino,
      () => undefined,
    )
    if (watcher?.inode === inode) return
    watcher?.of.close()
    watcher = undefined
    if (inode === undefined || report === undefined) return
    try {
      const of = watchFolder(folder, { persistent: false }, (_, entry) => {
        // Mounted configuration is swapped by a link whose name begins with two dots, not by the file's own name.
        if (entry === null || entry === name || entry.startsWith('..')) void read()
      })
      of.on('error', () => of.close())
      watcher = { of, inode }
    } catch {
      // Out of watches or not supported here: the poll alone is slower and just as right.
    }
  }

  /** One read at a time; a change during a read causes one more, so that the last value always wins. */
  function read(): Promise<void> {
    changed = true
    reading ??= (async () => {
      try {
        do {
          changed = false
          await watchAgain()
          const found = await readReport(file)
          const key = JSON.stringify(found)
          if (key === last) continue
          last = key
          report?.(found)
        } while (changed)
      } finally {
        reading = undefined
      }
    })()
    return reading
  }

  return {
    name: `file ${file}`,
    async watch(listener) {
      report = listener
      last = ''
      timer ??= setInterval(() => void read(), pollMillis).unref()
      await read()
    },
    async close() {
      report = undefined
      clearInterval(timer)
      timer = undefined
      await reading
      watcher?.of.close()
      watcher = undefined
    },
  }
}

async function readReport(file: string): Promise<SourceReport> {
  try {
    // Without blocking: opening a pipe that nobody writes to would never come back.
    const handle = await open(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0))
    try {
      if (!(await handle.stat()).isFile())
        return { kind: 'unavailable', reason: `${file} is not a plain file` }
      const { buffer, bytesRead } = await handle.read(Buffer.alloc(MOST_BYTES + 1), 0, MOST_BYTES + 1, 0)
      return { kind: 'value', value: valueOf(buffer.subarray(0, bytesRead)) }
    } finally {
      await handle.close()
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown'
    return {
      kind: 'unavailable',
      reason: code === 'ENOENT' ? `${file} does not exist` : `${file} cannot be read (${code})`,
    }
  }
}

/** What the content says. Content that is no word is described and not quoted: the path may be that of another file. */
function valueOf(content: Buffer): unknown {
  if (content.length > MOST_BYTES) return `more than ${MOST_BYTES} bytes`
  const text = content.toString('utf8').trim()
  if (/^[\w-]{0,30}$/.test(text)) return text
  try {
    const parsed: unknown = JSON.parse(text)
    if (typeof parsed === 'object' && parsed !== null && 'phase' in parsed) return parsed.phase
  } catch {
    return `${content.length} bytes that are neither a word nor JSON`
  }
  return 'JSON without "phase"'
}
