// The operator's page for LaunchDarkly has a row for each stage, and names only codes that there are.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ERROR_CODES } from '../../src/errors.js'
import { PHASE_NAMES, PHASES } from '../../src/phase/phases.js'

const page = readFileSync(join(import.meta.dirname, '../../docs/launchdarkly.md'), 'utf8')

it('has one row for each stage, with its phase, in the order of the code', () => {
  const [, table = ''] = page.split(/<!-- \/?flips -->/)
  const rows = table
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim()))
  expect(rows.map(([, stage, phase]) => [stage, phase])).toEqual(
    PHASE_NAMES.map((phase) => [`\`${PHASES[phase].stage}\``, `\`${phase}\``]),
  )
  for (const cells of rows) expect(cells).toHaveLength(8)
})

it('names no error code that is not there', () => {
  const named = page.match(/ERR_[A-Z_]+/g) ?? []
  expect(named.length).toBeGreaterThan(0)
  for (const code of named) expect(Object.keys(ERROR_CODES)).toContain(code)
})
