// The architecture as data, and what in a set of source files goes against it.
import { isBuiltin } from 'node:module'
import { posix } from 'node:path'

/**
 * From the ground up. A room is a folder of `src`, or a file that stands in `src` itself; a file imports from its own
 * room and from lower floors.
 */
const FLOORS: readonly (readonly string[])[] = [
  ['errors'],
  ['options', 'events', 'address'],
  ['phase'],
  ['reads'],
  ['pool'],
  ['control'],
  ['fleet'],
  ['mirror'],
  ['dual-write'],
  ['shadow'],
  ['coordinator'],
  ['verify'],
  ['cutover'],
  ['index'],
  ['cli', 'adapters'],
]

/** Which rooms may import a package, and how. Built-in modules are free to all, every other package to the CLI alone. */
const PACKAGES: Readonly<Record<string, (room: string, how: 'static' | 'dynamic') => boolean>> = {
  pg: () => true,
  'libpg-query': (room, how) => room === 'reads' && how === 'dynamic',
  // Only in files that are loaded on demand.
  'lru-cache': (room) => room === 'reads' || room === 'shadow',
}

/** These say nothing of what is inside. */
const EMPTY_NAMES = /(^|[-/])(utils?|helpers?|types|manager|service)(?=[-./]|$)/

const MAX_LINES = 250

interface Import {
  readonly specifier: string
  readonly how: 'static' | 'dynamic'
}

/** The statements stand at the start of a line, which no text in a comment or a string does in formatted code. */
const STATIC = /^(?:import|export)\s+(?:[\w$*\s{},]+?\s+from\s+)?['"]([^'"]+)['"]/gm
const DYNAMIC = /\bimport\(\s*['"]([^'"]+)['"]\s*\)/g
const COMMENT = /^\s*(?:\/\/|\/?\*).*$/gm

export function importsOf(text: string): Import[] {
  const code = text.replaceAll(COMMENT, '')
  const all = (pattern: RegExp, how: Import['how']): Import[] =>
    [...code.matchAll(pattern)].map(([, specifier = '']) => ({ specifier, how }))
  return [...all(STATIC, 'static'), ...all(DYNAMIC, 'dynamic')]
}

/** One line for each thing that is not as it should be; `files` is path → text, with paths from the root. */
export function violations(files: ReadonlyMap<string, string>): string[] {
  return [...files].flatMap(([path, text]) => [
    ...importsOf(text).flatMap((one) => importViolation(path, one, files)),
    ...fileViolations(path, text),
  ])
}

function roomOf(path: string): string {
  const [top = '', second = ''] = path.split('/')
  return top === 'adapters' ? 'adapters' : second.replace(/\.ts$/, '')
}

function floorOf(room: string): number {
  return FLOORS.findIndex((rooms) => rooms.includes(room))
}

function importViolation(
  path: string,
  { specifier, how }: Import,
  files: ReadonlyMap<string, string>,
): string[] {
  const room = roomOf(path)
  const name = `${path} imports ${specifier}`
  if (!specifier.startsWith('.')) {
    if (isBuiltin(specifier) || room === 'cli' || room === 'adapters') return []
    return PACKAGES[specifier]?.(room, how) === true ? [] : [`${name}: a package that it may not use`]
  }
  const target = posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts')
  if (!files.has(target)) return [`${name}: there is no ${target}`]
  const other = roomOf(target)
  if (room === other) return []
  if (room === 'adapters') return other === 'index' ? [] : [`${name}: an adapter imports src/index.ts alone`]
  return floorOf(other) < floorOf(room) ? [] : [`${name}: ${other} is not below ${room}`]
}

function fileViolations(path: string, text: string): string[] {
  const lines = text.trimEnd().split('\n')
  const found: string[] = []
  if (floorOf(roomOf(path)) === -1) found.push(`${path}: the room ${roomOf(path)} is on no floor`)
  if (!/^(\/\/|\/\*\*?|#!)/.test(lines[0] ?? '')) found.push(`${path}: does not begin with what it is for`)
  if (EMPTY_NAMES.test(path.replace(/^(src|adapters)\//, ''))) found.push(`${path}: a name that says nothing`)
  if (lines.length > MAX_LINES) found.push(`${path}: ${lines.length} lines, more than ${MAX_LINES}`)
  if (/^export\s+\*\s+from/m.test(text)) found.push(`${path}: export * hides what is public`)
  return found
}
