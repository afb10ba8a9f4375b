// Text for a terminal or for a pipe: emphasis where it is shown, and columns that line up.
import type { Readable } from 'node:stream'

/** The part of a stream that is used, so that tests can stand in for it. */
export interface Sink {
  write(text: string): unknown
  readonly isTTY?: boolean
}

/** What is typed; a pipe or a file is nobody who could be asked. */
export type Keyboard = Readable & { readonly isTTY?: boolean }

export interface Streams {
  readonly out: Sink
  readonly err: Sink
  /** Where a person answers; without it nobody is asked. */
  readonly in?: Keyboard
  /** Calls the listener at each Ctrl-C, which then ends nothing by itself, until the returned function is called. */
  readonly onInterrupt?: (listener: () => void) => () => void
}

export interface Paint {
  good(text: string): string
  bad(text: string): string
  warn(text: string): string
  faint(text: string): string
}

export interface Output {
  readonly paint: Paint
  /** The result goes to a terminal. */
  readonly terminal: boolean
  /** Says it before the result: in place of what was shown last on a terminal, as further lines elsewhere. */
  show(lines: readonly string[]): void
  /** Says what is happening, apart from the result. */
  note(line: string): void
  /** Says a step of the work: with the result where people read it, apart from it where that is one JSON object. */
  say(line: string): void
  /** Asks a person. Throws `ERR_OPTION` where there is none. */
  confirm(question: string): Promise<boolean>
  /** See {@link Streams.onInterrupt}. */
  onInterrupt(listener: () => void): () => void
}

const wrap =
  (code: number) =>
  (text: string): string =>
    `\u001B[${code}m${text}\u001B[0m`
const plain = (text: string): string => text

const COLOURS: Paint = { good: wrap(32), bad: wrap(31), warn: wrap(33), faint: wrap(2) }
const NO_COLOURS: Paint = { good: plain, bad: plain, warn: plain, faint: plain }

/** Colours on a terminal; NO_COLOR has none anywhere, and FORCE_COLOR other than 0 has them everywhere else. */
export function paintFor(to: Sink, environment: Readonly<Record<string, string | undefined>>): Paint {
  const { NO_COLOR: none, FORCE_COLOR: forced } = environment
  if (none) return NO_COLOURS
  return (forced === undefined ? to.isTTY === true : forced !== '0') ? COLOURS : NO_COLOURS
}

export interface Shower {
  /** In place of what was shown before, where it draws; as further lines elsewhere. */
  show(lines: readonly string[]): void
  /** The last one, which stays. */
  end(lines: readonly string[]): void
}

export function shower(to: Sink, draws: boolean): Shower {
  let shown = 0
  const write = (lines: readonly string[], before: string, after: string): void => {
    const back = shown === 0 ? '' : `\u001B[${shown}A\u001B[0J`
    shown = draws ? lines.length : 0
    to.write(back + before + lines.map((line) => `${line}\n`).join('') + after)
  }
  return {
    // Without the terminal's wrapping, so that a line is a line however narrow it is.
    show: (lines) => (draws ? write(lines, '\u001B[?7l', '\u001B[?7h') : write(lines, '', '')),
    end: (lines) => write(lines, '', ''),
  }
}

const BAR_WIDTH = 30

export function bar(done: number, total: number): string {
  const filled = total > 0 ? Math.min(BAR_WIDTH, Math.floor((done / total) * BAR_WIDTH)) : BAR_WIDTH
  return '█'.repeat(filled) + '░'.repeat(BAR_WIDTH - filled)
}

/** On one line, and without the signs that a terminal obeys: names, keys and messages of a database may hold any. */
export const printable = (text: string): string => text.replaceAll(/[\s\p{Cc}]+/gu, ' ').trim()

export const counted = (number: number): string => number.toLocaleString('en')

/** Two columns, the first as wide as its widest cell. */
export function columns(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...rows.map(([label]) => label.length))
  return rows.map(([label, text]) => `  ${label.padEnd(width)}  ${text}`)
}

export function bytes(count: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB']
  let size = count
  let unit = 0
  while (size >= 1_000 && unit < units.length - 1) {
    size /= 1_000
    unit++
  }
  return `${unit === 0 ? size : size.toFixed(1)} ${units[unit]}`
}

/** Columns as wide as their widest cell: the first one to the left, the others, which are numbers, to the right. */
export function table(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows)
    for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length)
  return rows.map(
    (row) =>
      `  ${row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join('  ')}`,
  )
}
