// The page of clients has a row for each library that is tested, at the version that is installed, with all its tests passed.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { pagePath, recipeCells, root, tableOf, versionOf } from '../contract/data-layer/page.js'
import { recipes } from '../contract/data-layer/recipes.js'

const page = readFileSync(pagePath, 'utf8')
const folder = join(root, 'test/contract/data-layer')
const tested = readdirSync(folder)
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => name.slice(0, -'.test.ts'.length))
const subjects = tested.filter((file) => existsSync(join(folder, `${file}.ts`)))

/** What a subject says of itself, read as text: to load them all is to load every library. */
function subjectOf(file: string): { readonly name: string; readonly version: string } {
  const text = readFileSync(join(folder, `${file}.ts`), 'utf8')
  const [, name, packageName] = /^  name: '([^']+)',\n  packages: \['([^']+)'/m.exec(text) ?? []
  if (name === undefined || packageName === undefined) throw new Error(`${file}.ts names no library`)
  return { name, version: versionOf(packageName) }
}

describe('the libraries of the contract', () => {
  const rows = tableOf(page, 'clients')

  it('have one row each, with the version that is installed', () => {
    const names = subjects.map(subjectOf).map(({ name, version }) => `${name} ${version}`)
    expect(rows.map(([library, version]) => `${library} ${version}`).toSorted()).toEqual(names.toSorted())
  })

  it.each(rows)('%s %s has an example, which is there', (...cells) => {
    expect(cells).toHaveLength(6)
    expect(existsSync(join(root, cells[4]?.replaceAll('`', '') ?? ''))).toBe(true)
  })
})

describe('the other libraries', () => {
  it('have the rows that they describe', () => {
    expect(tableOf(page, 'recipes').map((cells) => cells.slice(0, 5))).toEqual(recipes.map(recipeCells))
    expect(recipes.map(({ file }) => file)).toEqual(tested.filter((file) => !subjects.includes(file)))
  })
})

describe('the page', () => {
  it.each(['clients', 'recipes'])('shows no test of %s that failed, and not none', (mark) => {
    for (const [library, , , , , score = ''] of tableOf(page, mark)) {
      const [, passed, total] = /^(\d+) of (\d+)$/.exec(score) ?? []
      expect(passed, library).toBe(total)
      expect(Number(total), library).toBeGreaterThan(mark === 'clients' ? 35 : 0)
    }
  })

  it('prints the example of Kysely, which is tested', () => {
    const example = readFileSync(join(root, 'examples/kysely.ts'), 'utf8')
    expect(page).toContain(`\`\`\`ts\n${example.replace('../src/index.js', 'pg-cutover')}\`\`\``)
  })
})
