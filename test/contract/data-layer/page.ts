// The tables of docs/clients.md, out of what the subjects say of themselves, the installed versions and the results.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Recipe } from './recipes.js'
import type { Capability, DataLayer } from './subject.js'

export const root = join(import.meta.dirname, '../../..')
export const pagePath = join(root, 'docs/clients.md')

/** How many tests a library has passed, and how many there are. */
export interface Score {
  readonly passed: number
  readonly total: number
}

type Described = Pick<DataLayer, 'name' | 'packages' | 'handIn' | 'special' | 'example'>

const LACKING = {
  savepoint: 'no savepoints',
  stream: 'no streaming',
  cancelAfter: 'no cancellation',
  migrate: 'migrations not tested',
  killedAtWork: 'does not recover from a backend that is killed at work, on its own pool either',
} as const satisfies Record<Capability, string>

const TIMEOUT = {
  pool: [],
  library: ['its own timer ends the wait for a client, also during a hold'],
  none: ['nothing ends the wait for a client'],
} as const satisfies Record<DataLayer['acquireTimeoutOf'], readonly string[]>

/** The cells of a library, without its score. */
export function layerCells(layer: DataLayer): string[] {
  const lacking = (layer.lacks ?? []).map((capability) => LACKING[capability])
  const waits = layer.readsWait ? ['reads wait during a hold as well'] : []
  return cells(layer, [layer.special, ...waits, ...TIMEOUT[layer.acquireTimeoutOf], ...lacking])
}

export const recipeCells = (recipe: Recipe): string[] => cells(recipe, [recipe.special])

function cells({ name, packages, handIn, example }: Described, special: readonly string[]): string[] {
  return [
    name,
    versionOf(packages[0]),
    `\`${handIn}\``,
    special.filter((text) => text !== '').join('; '),
    `\`${example}\``,
  ].map((cell) => cell.replaceAll('|', '\\|'))
}

/** The version that is installed. */
export function versionOf(name: string): string {
  const { version } = JSON.parse(readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')) as {
    readonly version: string
  }
  return version
}

const HEAD = ['library', 'version', 'hand in', 'what is special', 'example']

export function printTable(rows: readonly (readonly string[])[], lastColumn: string): string {
  const lines = [[...HEAD, lastColumn], [...HEAD, lastColumn].map(() => '---'), ...rows]
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n')
}

/** The rows between two marks of a page, each as its cells. */
export function tableOf(page: string, mark: string): string[][] {
  return around(page, mark)
    .inside.split('\n')
    .filter((line) => line.startsWith('| '))
    .slice(2)
    .map((line) =>
      line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

/** The page with another table between the two marks. */
export function withTable(page: string, mark: string, table: string): string {
  const { before, after } = around(page, mark)
  return `${before}\n${table}\n${after}`
}

function around(page: string, mark: string): Record<'before' | 'inside' | 'after', string> {
  const start = page.indexOf(`<!-- ${mark} -->`) + `<!-- ${mark} -->`.length
  const end = page.indexOf(`<!-- /${mark} -->`)
  if (!page.includes(`<!-- ${mark} -->`) || end < start)
    throw new Error(`the page has no ${mark} between two marks`)
  return { before: page.slice(0, start), inside: page.slice(start, end), after: page.slice(end) }
}
