// Checks of the option `mapped`: each table has one name on the other side, and from there the way back to its own.
import { nameAcross } from '../../mirror/mapping.js'
import { splitTableName } from '../../options.js'
import { DUAL_WRITE } from './check.js'
import type { Check } from './check.js'
import { nameOf } from './facts.js'

export const MAPPING_CHECKS = {
  'mapping-collides': {
    severity: 'error',
    why: 'Two tables would be mirrored into one, and the way back would not know whose rows they are.',
    mirrors: DUAL_WRITE,
    find: ({ m, facts }) =>
      facts.old.tables
        .map((table) => ({ table, across: nameAcross(m, 'old', table) }))
        .map((pair) => ({ ...pair, back: nameAcross(m, 'new', pair.across) }))
        .filter(({ table, back }) => nameOf(table) !== nameOf(back))
        .map(({ table, across, back }) => ({
          side: 'old',
          object: nameOf(table),
          message: `by the option mapped ${nameOf(table)} of the old side is ${nameOf(across)} on the new one, which is ${nameOf(back)} on the old one`,
          fix: 'give each of the two another name in the option mapped, or leave one of them out of the option tables',
        })),
  },
  'mapping-unknown': {
    severity: 'warning',
    why: 'The entry has no effect. If it is misspelt, the table is looked for under its old name on the new side.',
    mirrors: DUAL_WRITE,
    find: ({ m, facts }) =>
      Object.keys(m.dualWrite.mapped)
        .filter((text) => {
          const { schema, name } = splitTableName(text) ?? { schema: '', name: '' }
          return !facts.old.tables.some(
            (table) => table.schema === schema && (name === '*' || table.name === name),
          )
        })
        .map((text) => ({
          side: 'old',
          object: text,
          message: `mapped: "${text}" is no table in scope of the old side`,
          fix: 'correct the name in the option mapped, or leave it out',
        })),
  },
} as const satisfies Record<string, Check>
