// Watches a file that holds a wish: reads it at each change and on a slow poll, and tells what it says.
import { watch as watchFolder, constants, type FSWatcher } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import type { SourceReport } from './source.js'

const MOST_BYTES = 4_096

export interface FileWatch {
  /** Resolves when the file has been read once. */
  readonly begun: Promise<void>
  close(): Promise<void>
}

/** Reports what the file says, and each time that it says something else. Keeps no process alive. */
export function watchFile(
  file: string,
  pollMillis: number,
  listener: (report: SourceReport) => void,
): FileWatch {
  const folder = dirname(file)
  const name = basename(file)
  let report: ((report: SourceReport) => void) | undefined = listener
  let watcher: { readonly of: FSWatcher; readonly inode: number } | undefined
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

  const timer = setInterval(() => void read(), pollMillis).unref()
  return {
    begun: read(),
    async close() {
      report = undefined
      clearInterval(timer)
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
