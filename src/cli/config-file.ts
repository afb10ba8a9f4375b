// Finds and reads the config file of a migration: pg-cutover.config in the working directory, or the one that is named.
import { existsSync, readFileSync } from 'node:fs'
import { extname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { CutoverError } from '../errors.js'
import { shapeOf } from '../options.js'

export interface ConfigFile {
  /** Its path as a person would write it here; for messages. */
  readonly shown: string
  /** What it exports, unchecked but for being an object. */
  readonly options: Readonly<Record<string, unknown>>
}

const NAMES = ['ts', 'mts', 'js', 'mjs', 'json'].map((ending) => `pg-cutover.config.${ending}`)

/**
 * Undefined where none is named and the folder has none. Throws `ERR_OPTION` for a file that is not there, cannot be read or
 * exports no object; its message never holds a piece of the file.
 */
export async function readConfigFile(
  named: string | undefined,
  folder: string,
): Promise<ConfigFile | undefined> {
  const path = named === undefined ? findIn(folder) : resolve(folder, named)
  if (path === undefined) return undefined
  const shown = named ?? relative(folder, path)
  if (!existsSync(path)) throw new CutoverError('ERR_OPTION', `${shown}: there is no such file`)
  const exported = await evaluate(path, shown)
  if (typeof exported !== 'object' || exported === null || Array.isArray(exported))
    throw new CutoverError(
      'ERR_OPTION',
      `${shown}: the default export is ${shapeOf(exported)}; expected an object with options such as name, old and new, or a function or promise that gives one`,
    )
  return { shown, options: exported as Record<string, unknown> }
}

/** Two of them would leave it to chance which one counts. */
function findIn(folder: string): string | undefined {
  const found = NAMES.map((name) => join(folder, name)).filter((path) => existsSync(path))
  if (found.length > 1)
    throw new CutoverError(
      'ERR_OPTION',
      `there are ${found.map((path) => relative(folder, path)).join(' and ')}; keep one of them, or name it by --config`,
    )
  return found[0]
}

async function evaluate(path: string, shown: string): Promise<unknown> {
  try {
    if (extname(path) === '.json') return JSON.parse(readFileSync(path, 'utf8'))
    const module = /^\.[mc]?ts$/.test(extname(path)) ? await importTypeScript(path, shown) : await load(path)
    if (!('default' in module))
      throw new CutoverError('ERR_OPTION', `${shown}: it has no default export; write export default { … }`)
    const exported = await module['default']
    return typeof exported === 'function'
      ? ((await Reflect.apply(exported, undefined, [])) as unknown)
      : exported
  } catch (error) {
    if (error instanceof CutoverError) throw error
    throw new CutoverError('ERR_OPTION', `${shown}${placeOf(error, path)}: ${reasonOf(error)}`, {
      cause: error,
    })
  }
}

type Module = Readonly<Record<string, unknown>>

const load = async (path: string): Promise<Module> => (await import(pathToFileURL(path).href)) as Module

/** By jiti where it is installed, since it also reads what Node's own stripping of types does not. */
async function importTypeScript(path: string, shown: string): Promise<Module> {
  const loader = await import('jiti').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return undefined
    throw error
  })
  // Without its cache on the disk, which would hold whatever secrets the file has.
  if (loader)
    return loader.createJiti(import.meta.url, { interopDefault: false, fsCache: false }).import(path)
  if ('typescript' in process.features && process.features.typescript) return load(path)
  throw new CutoverError(
    'ERR_OPTION',
    `${shown}: Node ${process.versions.node} does not read TypeScript by itself; run npm install --save-dev jiti, or write pg-cutover.config.js`,
  )
}

/** What a parser says of a file quotes it, and a name that is not defined may be a password without its quotes. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'it threw something that is no error'
  if (error instanceof SyntaxError) return 'it has a syntax error'
  if (error instanceof ReferenceError) return 'it uses a name that is not defined'
  const [line = ''] = error.message.split('\n')
  if (line.startsWith('ParseError')) return 'it has a syntax error'
  return line.replaceAll(/:\/\/[^\s/@]*@/g, '://…@')
}

/** The line, where the error says it. */
function placeOf(error: unknown, path: string): string {
  if (!(error instanceof Error)) return ''
  const said = `${error.message}\n${error.stack ?? ''}`
  const at = said.indexOf(`${path}:`)
  const line = at === -1 ? undefined : /^\d+/.exec(said.slice(at + path.length + 1))?.[0]
  if (line !== undefined) return ` line ${line}`
  const position = extname(path) === '.json' ? /at position (\d+)/.exec(error.message)?.[1] : undefined
  if (position === undefined) return ''
  return ` line ${readFileSync(path, 'utf8').slice(0, Number(position)).split('\n').length}`
}
