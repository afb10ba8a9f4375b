// Finds the plain columns that the rows of one relation are ordered by.
import { inside, listOf, nodeOf, textOf, wordsOf, type TreeNode } from './parse-tree.js'

// With any of these a row of the answer may be another than one of the relation.
const OTHER_ROWS = [
  'withClause',
  'distinctClause',
  'groupClause',
  'havingClause',
  'valuesLists',
  'larg',
  'rarg',
] as const

/**
 * Undefined where the statement is over anything but one relation, or is ordered by anything but its columns. A name that
 * ORDER BY gives alone is that of an output column, if there is one, and only then a column of the relation.
 */
export function orderKeysOf(select: TreeNode): readonly string[] | undefined {
  const from = listOf(select['fromClause'])
  if (from.length !== 1 || inside(from[0], 'RangeVar') === undefined) return undefined
  if (OTHER_ROWS.some((field) => select[field] !== undefined)) return undefined
  const targets = listOf(select['targetList']).map((one) => nodeOf(one['ResTarget']) ?? {})
  const keys: string[] = []
  for (const one of listOf(select['sortClause'])) {
    const sort = inside(one, 'SortBy')
    if (sort === undefined || sort['useOp'] !== undefined) return undefined
    const key = columnOf(sort['node'], targets)
    if (key === undefined) return undefined
    keys.push(key)
  }
  return keys.length > 0 ? keys : undefined
}

function columnOf(node: unknown, targets: readonly TreeNode[]): string | undefined {
  const words = wordsOf(inside(node, 'ColumnRef')?.['fields'])
  const name = words.at(-1)
  if (name === undefined || words.includes(undefined)) return undefined
  if (words.length > 1) return name
  const named = targets.filter((target) => nameOf(target) === name)
  return named.every((target) => wordsOf(inside(target['val'], 'ColumnRef')?.['fields']).at(-1) === name)
    ? name
    : undefined
}

/** The name of an output column; of what is no plain column only the one that it is given. */
const nameOf = (target: TreeNode): string | undefined =>
  textOf(target['name']) ?? wordsOf(inside(target['val'], 'ColumnRef')?.['fields']).at(-1)
