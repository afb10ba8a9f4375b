// docs/preflight.md lists every code with its severity, when it is looked for, what is found and why it matters, as the code has it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Check } from '../../../src/coordinator/preflight/check.js'
import { CHECKS } from '../../../src/coordinator/preflight/checks.js'
import { FIRST_FINDINGS } from '../../../src/coordinator/preflight/first-look.js'

const page = readFileSync(join(import.meta.dirname, '../../../docs/preflight.md'), 'utf8')
const rows = page
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split(' | ').map((cell) => cell.replace(/^\| | \|$/g, '')))

const STAGES = { mirror: 'before the mirror', cutover: 'before a change of writer' } as const

const whenOf = ({ mirrors, stage }: Pick<Check, 'mirrors' | 'stage'>): string =>
  [
    mirrors === undefined ? 'always' : mirrors.length > 1 ? 'any mirror' : mirrors.join(''),
    ...(stage === undefined ? [] : [STAGES[stage]]),
  ].join(', ')

const checks: [string, Check][] = Object.entries(CHECKS)
const wanted = new Map([
  ...Object.entries(FIRST_FINDINGS).map(([code, why]) => {
    const when = code === 'subscriber-cannot-connect' ? 'replication' : 'always'
    return [code, { severity: 'error', when, why }] as const
  }),
  ...checks.map(
    ([code, check]) => [code, { severity: check.severity, when: whenOf(check), why: check.why }] as const,
  ),
])

it('lists every code, and none twice', () => {
  const listed = rows.map(([code]) => code ?? '').toSorted()
  expect(listed).toEqual([...wanted.keys()].map((code) => `\`${code}\``).toSorted())
})

it.each(rows.map((cells) => [cells[0], cells] as const))('says of %s what the code says', (_, cells) => {
  const [code = '', severity, when, what, why] = cells
  expect(cells).toHaveLength(5)
  expect(what?.length).toBeGreaterThan(10)
  expect({ severity, when, why }).toEqual(wanted.get(code.replaceAll('`', '')))
})

it.each([...wanted])('%s has a reason that is a sentence', (_, { why }) => {
  expect(why).toMatch(/^[A-Z].{20,}\.$/)
})
