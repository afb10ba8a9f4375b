// Installs the project into an empty folder, packed as npm would or merely compiled, beside `pg` and nothing else.
import { execFile } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { inject } from 'vitest'

const root = join(import.meta.dirname, '../..')
const run = promisify(execFile)

export interface Output {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface Consumer {
  /** The paths in the package. */
  readonly files: readonly string[]
  /** Makes a package of `node_modules` visible to the consumer, as if it had installed it. */
  add(packageName: string): void
  /** The same as a copy of its own under another name, as where two versions of a package are installed. */
  addCopy(packageName: string, name: string): void
  write(name: string, text: string): void
  node(...args: string[]): Promise<Output>
  tsc(...args: string[]): Promise<Output>
  remove(): void
}

export function packedConsumer(): Promise<Consumer> {
  return consumer(unpack)
}

/** With what this run has compiled in place of the tarball: the same modules, sooner. */
export function compiledConsumer(): Promise<Consumer> {
  return consumer((_, to) => {
    const files = ['package.json', ...['src', 'adapters'].map((part) => join('dist', part))]
    for (const path of files)
      cpSync(join(inject('compiled'), path.replace(/^dist./, '')), join(to, path), { recursive: true })
    return Promise.resolve(files)
  })
}

/** Puts the package where it is to be installed, and gives its files. */
type Install = (stage: string, to: string) => Promise<readonly string[]>

async function consumer(install: Install): Promise<Consumer> {
  const folder = mkdtempSync(join(tmpdir(), 'consumer-'))
  try {
    return await installInto(folder, install)
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    // A compiler says what is wrong on its standard output.
    if (error instanceof Error && 'stdout' in error) error.message += `\n${String(error.stdout)}`
    throw error
  }
}

const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')

// Built and packed beside the checkout: whoever works in it keeps his `dist`.
const unpack: Install = async (stage, to) => {
  mkdirSync(stage)
  for (const path of [
    'package.json',
    'README.md',
    'LICENSE',
    'CHANGELOG.md',
    'docs',
    'src',
    'adapters',
    'test',
    'demo',
  ])
    if (existsSync(join(root, path))) cpSync(join(root, path), join(stage, path), { recursive: true })
  await run(process.execPath, [compiler, '-p', 'tsconfig.build.json', '--outDir', join(stage, 'dist')], {
    cwd: root,
  })
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json'], { cwd: stage })
  const [tarball]: { filename: string; files: { path: string }[] }[] = JSON.parse(stdout)
  if (!tarball) throw new Error(`npm pack made nothing: ${stdout}`)
  await run('tar', ['-xzf', join(stage, tarball.filename), '--strip-components=1', '-C', to])
  return tarball.files.map((file) => file.path)
}

async function installInto(folder: string, install: Install): Promise<Consumer> {
  const home = join(folder, 'app')
  const installed = join(home, 'node_modules')
  const own = join(installed, 'pg-cutover')
  mkdirSync(own, { recursive: true })
  const files = await install(join(folder, 'stage'), own)

  const start = async (args: readonly string[]): Promise<Output> => {
    try {
      return { code: 0, ...(await run(process.execPath, args, { cwd: home })) }
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && 'stdout' in error && 'stderr' in error)) throw error
      return { code: Number(error.code), stdout: String(error.stdout), stderr: String(error.stderr) }
    }
  }
  const add = (packageName: string): void => {
    const link = join(installed, packageName)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(root, 'node_modules', packageName), link)
  }
  add('pg')
  writeFileSync(join(home, 'package.json'), '{ "private": true, "type": "module" }\n')

  return {
    files,
    add,
    addCopy: (packageName, name) =>
      cpSync(join(root, 'node_modules', packageName), join(installed, name), { recursive: true }),
    write: (name, text) => writeFileSync(join(home, name), text),
    node: (...args) => start(args),
    tsc: (...args) => start([compiler, ...args]),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

interface Manifest {
  readonly exports: Readonly<Record<string, string>>
  readonly bin: Readonly<Record<string, string>>
  readonly types: string
  readonly peerDependencies: Readonly<Record<string, string>>
}

export const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest

/** What the manifest promises to be there. */
export function promisedFiles(): string[] {
  const paths = [...Object.values(manifest.exports), ...Object.values(manifest.bin), manifest.types]
  return paths.map((path) => path.replace('./', ''))
}

/** The entries beside the main one: `knex` for `pg-cutover/knex`. */
export const adapterEntries: readonly string[] = Object.entries(manifest.exports).flatMap(([path, file]) =>
  file.includes('/adapters/') ? [path.replace('./', '')] : [],
)
