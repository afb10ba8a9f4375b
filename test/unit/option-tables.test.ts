// What the pages print of options and outcomes is what the code has.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { DEFAULT_DUAL_WRITE } from '../../src/control/migration.js'
import { readShadow } from '../../src/cutover/read-nested-options.js'
import { noTotals } from '../../src/shadow/report.js'

/** The first cells of each row of the table between two marks. */
function table(mark: string, name = 'shadow-reads.md'): string[][] {
  const page = readFileSync(join(import.meta.dirname, '../../docs', name), 'utf8')
  const [, inside = ''] = page.split(new RegExp(`<!-- /?${mark} -->`))
  return inside
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, 3)
        .map((cell) => cell.trim()),
    )
}

it('has each option with its default', () => {
  const options = Object.entries(readShadow(undefined, '') ?? {})
  expect(table('shadow options')).toEqual(options.map(([name, value]) => [`\`${name}\``, String(value)]))
})

it('has each option of dual-write with its default', () => {
  const shown = (value: unknown): string =>
    typeof value === 'string' ? `\`${value}\`` : Number.isFinite(value) ? String(value) : ''
  expect(table('dual-write options', 'dual-write.md')).toEqual(
    Object.entries(DEFAULT_DUAL_WRITE).map(([name, value]) => [`\`${name}\``, shown(value)]),
  )
})

it.each([
  ['outcomes', Object.keys(noTotals().outcomes)],
  ['skipped', Object.keys(noTotals().skipped)],
])('has all %s', (mark, names) => {
  expect(table(mark).map(([name]) => name)).toEqual(names.map((name) => `\`${name}\``))
})
