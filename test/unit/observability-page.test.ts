// The page on observability and the dashboard name the metrics that there are, all of them and no others.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Instrument } from '../../adapters/observability/instrument.js'
import { INSTRUMENTS, openTelemetryName, prometheusName } from '../../adapters/observability/instruments.js'

const root = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

const instruments = Object.values<Instrument>(INSTRUMENTS)
const exported = new Map(instruments.map((one) => [prometheusName(one, 'pg_cutover_'), one]))

/** A histogram is printed as three. */
const baseOf = (name: string): string =>
  exported.has(name) ? name : name.replace(/_(?:bucket|sum|count)$/, '')

/** The metrics that a text names, without what follows a histogram's name. */
const namedIn = (text: string): Set<string> =>
  new Set([...text.matchAll(/\bpg_cutover_\w+/g)].map(([name]) => baseOf(name)))

describe('docs/observability.md', () => {
  const page = read('docs/observability.md')

  it('prints the table of the code', () => {
    const [, table = ''] = page.split(/<!-- \/?metrics -->/)
    const rows = table
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) =>
        line
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      )
    const code = (text: string): string => `\`${text}\``
    expect(rows).toEqual(
      instruments.map((one) => [
        code(prometheusName(one, 'pg_cutover_')),
        code(openTelemetryName(one.name)),
        one.kind,
        one.unit === '' ? '' : code(one.unit),
        one.labels.map(code).join(', '),
        one.help,
      ]),
    )
  })

  it('names no metric that is not exported', () => {
    for (const name of namedIn(page)) expect([...exported.keys()]).toContain(name)
  })

  it.each(['prometheus', 'opentelemetry'])('prints the example of %s', (name) => {
    const example = read(`examples/${name}.ts`)
      .replace(`'../adapters/${name}.js'`, `'pg-cutover/${name}'`)
      .replace(`'../src/index.js'`, `'pg-cutover'`)
    expect(page).toContain(`\`\`\`ts\n${example}\`\`\``)
  })
})

interface Panel {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly gridPos: Readonly<Record<'x' | 'y' | 'w' | 'h', number>>
  readonly datasource?: unknown
  readonly targets?: readonly {
    readonly expr: string
    readonly refId: string
    readonly datasource: unknown
  }[]
}

interface Dashboard {
  readonly id: null
  readonly uid: string
  readonly title: string
  readonly schemaVersion: number
  readonly panels: readonly Panel[]
  readonly annotations: { readonly list: readonly { readonly expr: string; readonly datasource: unknown }[] }
  readonly templating: {
    readonly list: readonly { readonly name: string; readonly type: string; readonly definition?: string }[]
  }
}

describe('docs/grafana-dashboard.json', () => {
  const dashboard = JSON.parse(read('docs/grafana-dashboard.json')) as Dashboard
  const charts = dashboard.panels.filter(({ type }) => type !== 'row')
  const expressions = [
    ...charts.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ...dashboard.annotations.list.map(({ expr }) => expr),
  ]
  const source = { type: 'prometheus', uid: '${datasource}' }

  it('has the form that Grafana 10 imports', () => {
    expect(dashboard).toMatchObject({ id: null, uid: 'pg-cutover', title: 'pg-cutover' })
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(38)
    const ids = dashboard.panels.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    for (const { targets = [], datasource } of charts) {
      expect(targets.length).toBeGreaterThan(0)
      expect(datasource).toEqual(source)
      expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length)
      for (const target of targets) expect(target.datasource).toEqual(source)
    }
    expect(dashboard.templating.list.map(({ name, type }) => [name, type])).toEqual([
      ['datasource', 'datasource'],
      ['migration', 'query'],
    ])
  })

  it('has panels that lie within the grid and beside each other', () => {
    const taken = new Set<string>()
    const bad = dashboard.panels.filter(({ gridPos: { x, y, w, h } }) => {
      const cells = Array.from({ length: w * h }, (_, nr) => `${x + (nr % w)} ${y + Math.floor(nr / w)}`)
      const overlaps = cells.some((cell) => taken.has(cell))
      for (const cell of cells) taken.add(cell)
      return overlaps || x + w > 24
    })
    expect(bad.map(({ title }) => title)).toEqual([])
  })

  it('asks for metrics that the adapter exports, of the chosen migrations, and leaves none out', () => {
    for (const expr of expressions) {
      expect(namedIn(expr).size).toBeGreaterThan(0)
      const selectors = expr.match(/pg_cutover_\w+/g) ?? []
      expect(expr.match(/\{migration=~"\$migration"/g)).toHaveLength(selectors.length)
    }
    expect([...namedIn(expressions.join(' '))].toSorted()).toEqual([...exported.keys()].toSorted())
    for (const { definition } of dashboard.templating.list)
      if (definition !== undefined)
        for (const name of namedIn(definition)) expect(exported.has(name)).toBe(true)
  })

  it('selects and groups by labels that the metrics have', () => {
    for (const expr of expressions) {
      const labels = [...namedIn(expr)].flatMap((name) => exported.get(name)?.labels ?? [])
      const known = new Set<string>(['migration', 'le', ...labels])
      const grouped = [...expr.matchAll(/\bby \(([^)]+)\)/g)].flatMap(([, list = '']) => list.split(', '))
      const selected = [...expr.matchAll(/[{,] ?(\w+)!?=/g)].map(([, label = '']) => label)
      for (const label of [...grouped, ...selected]) expect([...known]).toContain(label)
    }
  })
})
