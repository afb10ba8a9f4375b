// Compiles the project once for a run, so that a script which a test starts begins at once and not with a compiler.
import { execFile } from 'node:child_process'
import { cpSync, symlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative } from 'node:path'
import { promisify } from 'node:util'
import { inject } from 'vitest'
import type { TestProject } from 'vitest/node'
import { temporaryFolder } from './binaries.js'
import { keep } from './keeper.js'

const root = join(import.meta.dirname, '../..')

declare module 'vitest' {
  export interface ProvidedContext {
    compiled: string
  }
}

/** The JavaScript of a TypeScript file of this project, by its absolute path. */
export function compiled(file: string): string {
  return join(inject('compiled'), relative(root, file).replace(/\.ts$/, '.js'))
}

export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  // The projects of the configuration have it from their root.
  if (!project.isRootProject()) return undefined
  const folder = temporaryFolder('pg-cutover-compiled-', undefined)
  // Also when this process is killed.
  const keeper = keep({ folder, account: undefined })
  try {
    cpSync(join(root, 'package.json'), join(folder, 'package.json'))
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    await compile(folder)
  } catch (error) {
    await keeper.clean()
    throw error
  }
  project.provide('compiled', folder)
  project.onTestsRerun(() => compile(folder))
  return () => keeper.clean()
}

// Types are not checked: that is another command's work, and takes twice the time.
async function compile(folder: string): Promise<void> {
  const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
  const options = ['--noEmit', 'false', '--noCheck', '--rootDir', '.', '--outDir', folder]
  try {
    await promisify(execFile)(process.execPath, [compiler, ...options], { cwd: root })
  } catch (error) {
    // A compiler says what is wrong on its standard output.
    if (error instanceof Error && 'stdout' in error) error.message += `\n${String(error.stdout)}`
    throw error
  }
}
