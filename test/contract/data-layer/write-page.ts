// Writes the tables of docs/clients.md anew from the results of the last whole run of the tests: `npm run docs:clients`.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { layerCells, pagePath, printTable, recipeCells, root, withTable, type Score } from './page.js'
import { recipes } from './recipes.js'
import type { DataLayer } from './subject.js'

interface Results {
  readonly testResults: readonly {
    readonly name: string
    readonly assertionResults: readonly {
      readonly ancestorTitles: readonly string[]
      readonly title: string
      readonly status: string
    }[]
  }[]
}

const folder = import.meta.dirname
const results = JSON.parse(readFileSync(join(root, '.results/vitest.json'), 'utf8')) as Results

function scoreOf(file: string, group?: string): Score {
  const path = join(folder, `${file}.test.ts`)
  const tests = results.testResults
    .filter(({ name }) => name === path)
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ ancestorTitles }) => group === undefined || ancestorTitles[0] === group)
    // That a library lacks something is asserted, and is no achievement.
    .filter(({ title }) => !title.startsWith('has no '))
  if (tests.length === 0)
    throw new Error(`.results/vitest.json has nothing of ${file}.test.ts: run npm test first, and all of it`)
  return { passed: tests.filter(({ status }) => status === 'passed').length, total: tests.length }
}

const show = ({ passed, total }: Score): string => `${passed} of ${total}`

async function layers(): Promise<(readonly [string, DataLayer])[]> {
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => name.slice(0, -'.test.ts'.length))
    .filter((name) => existsSync(join(folder, `${name}.ts`)))
  const found: (readonly [string, DataLayer])[] = []
  for (const file of files) {
    const exported = Object.values((await import(join(folder, `${file}.ts`))) as Record<string, unknown>)
    const layer = exported.find((one) => typeof one === 'object' && one !== null && 'openFacade' in one)
    if (layer === undefined) throw new Error(`${file}.ts exports no data layer`)
    found.push([file, layer as DataLayer])
  }
  // pg itself first, which the others are made of.
  const isOther = (file: string): number => (file === 'pg' ? 0 : 1)
  return found.toSorted(
    ([a, { name }], [b, { name: other }]) => isOther(a) - isOther(b) || name.localeCompare(other, 'en'),
  )
}

const contract = (await layers()).map(([file, layer]) => [
  ...layerCells(layer),
  show(scoreOf(file, 'on the facade')),
])
const others = recipes.map((recipe) => [...recipeCells(recipe), show(scoreOf(recipe.file))])

let page = readFileSync(pagePath, 'utf8')
for (const [mark, table] of [
  ['clients', printTable(contract, 'contract')],
  ['recipes', printTable(others, 'tests')],
] as const)
  page = withTable(page, mark, table)
writeFileSync(pagePath, page)
