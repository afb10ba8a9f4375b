// What the docs print is what the code has: error codes, phases, the SQL and the example of sources, the names in imports.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import * as knex from '../../adapters/knex.js'
import * as launchdarkly from '../../adapters/launchdarkly.js'
import * as openfeature from '../../adapters/openfeature.js'
import * as opentelemetry from '../../adapters/opentelemetry.js'
import * as postgresJs from '../../adapters/postgres-js.js'
import * as prisma from '../../adapters/prisma.js'
import * as prometheus from '../../adapters/prometheus.js'
import * as sequelize from '../../adapters/sequelize.js'
import * as slonik from '../../adapters/slonik.js'
import { ERROR_CODES } from '../../src/errors.js'
import * as main from '../../src/index.js'
import { PHASE_NAMES, PHASES } from '../../src/phase/phases.js'

const root = join(import.meta.dirname, '../..')
const docs = readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)
const pages = ['README.md', ...docs].filter((name) => name.endsWith('.md'))

/** The cells of each row of the first table in a text, without its head. */
function rowsOf(text: string): string[][] {
  const lines = text.split('\n').filter((line) => line.startsWith('|'))
  return lines.slice(2).map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** The phase tables of a page, each as rows of cells; a mark that is not closed is an error. */
function phaseTables(page: string): string[][][] {
  const opened = page.split('<!-- phases -->').slice(1)
  return opened.map((rest) => {
    const end = rest.indexOf('<!-- /phases -->')
    if (end < 0) throw new Error('<!-- phases --> is not closed')
    return rowsOf(rest.slice(0, end))
  })
}

const phaseRows = PHASE_NAMES.map((phase) => {
  const { stage, reads, writes, mirroredTo, compared } = PHASES[phase]
  return [`\`${phase}\``, `\`${stage}\``, reads, writes, mirroredTo ?? '', compared ? 'sampled reads' : '']
})

describe('docs/errors.md', () => {
  const rows = rowsOf(readFileSync(join(root, 'docs/errors.md'), 'utf8'))

  it('has one row for each code, in the order of the code', () => {
    expect(rows.map(([code]) => code)).toEqual(Object.keys(ERROR_CODES).map((code) => `\`${code}\``))
  })

  it.each(rows)('%s says what happened, what is true of the data and what to do', (...cells) => {
    expect(cells).toHaveLength(4)
    for (const cell of cells.slice(1)) expect(cell).toMatch(/^[A-Z`].{10,}\.$/)
  })
})

describe('phase tables', () => {
  it.each(pages)('%s prints the table of the code, if any', (page) => {
    for (const table of phaseTables(readFileSync(join(root, page), 'utf8'))) expect(table).toEqual(phaseRows)
  })

  it('are printed in the README', () => {
    expect(phaseTables(readFileSync(join(root, 'README.md'), 'utf8'))).toHaveLength(1)
  })

  it('are read as they are printed', () => {
    const printed = `x
<!-- phases -->
| phase | stage | reads | writes | mirrored to | compared |
|---|---|---|---|---|---|
| \`old\` | \`off\` | old | old | | |
<!-- /phases -->
| \`another\` | table |`
    expect(phaseTables(printed)).toEqual([[phaseRows[0]]])
    expect(() => phaseTables('<!-- phases -->')).toThrow('not closed')
  })
})

describe('docs/sources.md', () => {
  const page = readFileSync(join(root, 'docs/sources.md'), 'utf8')

  it('prints the SQL that makes the table of postgresSource', () => {
    expect(page).toContain(`\`\`\`sql\n${main.postgresSourceSql()}\`\`\``)
  })

  it('prints the example of a source of your own, which passes the contract', () => {
    const example = readFileSync(join(root, 'examples/own-source.ts'), 'utf8')
    expect(page).toContain(`\`\`\`ts\n${example.replace('../src/index.js', 'pg-cutover')}\`\`\``)
  })

  it('names every source that there is', () => {
    const names = Object.keys({ ...main, ...launchdarkly, ...openfeature })
    const sources = names.filter((name) => /Source$|^launchDarkly$|^openFeature$/.test(name))
    expect(sources).toHaveLength(5)
    const [table = ''] = page.split('<!-- sources -->').slice(1)
    const rows = rowsOf(table.slice(0, table.indexOf('<!-- /sources -->')))
    expect(new Set(rows.map(([call = '']) => /\w+/.exec(call)?.[0]))).toEqual(new Set(sources))
    expect(rows).toHaveLength(sources.length)
  })
})

describe('imports', () => {
  const entries: Readonly<Record<string, object>> = {
    'pg-cutover': main,
    'pg-cutover/knex': knex,
    'pg-cutover/launchdarkly': launchdarkly,
    'pg-cutover/openfeature': openfeature,
    'pg-cutover/opentelemetry': opentelemetry,
    'pg-cutover/postgres-js': postgresJs,
    'pg-cutover/prisma': prisma,
    'pg-cutover/prometheus': prometheus,
    'pg-cutover/sequelize': sequelize,
    'pg-cutover/slonik': slonik,
  }
  const printed = pages.flatMap((page) => {
    const text = readFileSync(join(root, page), 'utf8')
    return [...text.matchAll(/import \{ ([^}]+) \} from '(pg-cutover[^']*)'/g)].flatMap(
      ([, names = '', entry = '']) => names.split(', ').map((name) => [page, name, entry] as const),
    )
  })

  it('are printed', () => {
    expect(new Set(printed.map(([, , entry]) => entry))).toEqual(new Set(Object.keys(entries)))
  })

  it('are of what is there', () => {
    const wrong = printed.filter(([, name, entry]) => !Object.hasOwn(entries[entry] ?? {}, name))
    expect(wrong).toEqual([])
  })
})
