// Finds the plain columns by which the rows of one relation are ordered or picked.
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
 * Undefined where the statement is over anything but one relation, or where there is no such column. A name that ORDER BY
 * gives alone is that of an output column, if there is one, and only then a column of the relation. What is ordered by
 * besides makes no order less total.
 */
export function orderKeysOf(select: TreeNode): readonly string[] | undefined {
  const from = listOf(select['fromClause'])
  if (from.length !== 1 || inside(from[0], 'RangeVar') === undefined) return undefined
  if (OTHER_ROWS.some((field) => select[field] !== undefined)) return undefined
  const targets = listOf(select['targetList']).map((one) => nodeOf(one['ResTarget']) ?? {})
  const keys = new Set(pinned(select['whereClause']))
  for (const one of listOf(select['sortClause'])) {
    const sort = inside(one, 'SortBy')
    const key = sort?.['useOp'] === undefined ? columnOf(sort?.['node'], targets) : undefined
    if (key !== undefined) keys.add(key)
  }
  return keys.size > 0 ? [...keys] : undefined
}

/** Columns that are equal to one value in all rows. A cast would make the equality that of another type. */
function pinned(condition: unknown): readonly string[] {
  const joined = inside(condition, 'BoolExpr')
  if (joined !== undefined)
    return joined['boolop'] === 'AND_EXPR' ? listOf(joined['args']).flatMap(pinned) : []
  const equation = inside(condition, 'A_Expr')
  const operator = wordsOf(equation?.['name'])
  if (equation?.['kind'] !== 'AEXPR_OP' || operator.length !== 1 || operator[0] !== '=') return []
  const [one, other] = [equation['lexpr'], equation['rexpr']]
  const words = wordsOf(
    inside(isValue(other) ? one : isValue(one) ? other : undefined, 'ColumnRef')?.['fields'],
  )
  const name = words.at(-1)
  return name === undefined ? [] : [name]
}

const isValue = (node: unknown): boolean =>
  inside(node, 'ParamRef') !== undefined || inside(node, 'A_Const') !== undefined

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
