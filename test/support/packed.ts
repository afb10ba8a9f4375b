// Packs the project as npm would and installs it into an empty folder, beside `pg` and nothing else.
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

const root = join(import.meta.dirname, '../..')
const run = promisify(execFile)

export interface Output {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

export interface Consumer {
  /** The paths in the tarball. */
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

export async function packedConsumer(): Promise<Consumer> {
  const folder = mkdtempSync(join(tmpdir(), 'consumer-'))
  try {
    return await installInto(folder)
  } catch (error) {
    rmSync(folder, { recursive: true, force: true })
    // A compiler says what is wrong on its standard output.
    if (error instanceof Error && 'stdout' in error) error.message += `\n${String(error.stdout)}`
    throw error
  }
}

async function installInto(folder: string): Promise<Consumer> {
  const stage = join(folder, 'stage')
  const home = join(folder, 'app')
  const installed = join(home, 'node_modules')
  mkdirSync(installed, { recursive: true })
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')

  // Built and packed beside the checkout: whoever works in it keeps his `dist`.
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
  mkdirSync(join(installed, 'pg-cutover'))
  await run('tar', [
    '-xzf',
    join(stage, tarball.filename),
    '--strip-components=1',
    '-C',
    join(installed, 'pg-cutover'),
  ])

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
    files: tarball.files.map((file) => file.path),
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
