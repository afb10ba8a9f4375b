// Finds what a statement's own LIMIT and OFFSET say.
import { inside, nodeOf, type TreeNode } from './parse-tree.js'

/** A number of rows, the number of the parameter that says it, or nothing that can be told from the text. */
export type Bound = number | { readonly parameter: number } | undefined

/** Without a LIMIT its bound is infinite, without an OFFSET it is 0. */
export interface OwnLimit {
  readonly limit: Bound
  readonly offset: Bound
}

export const ownLimitOf = (select: TreeNode): OwnLimit => ({
  limit: boundOf(select['limitCount'], Infinity),
  offset: boundOf(select['limitOffset'], 0),
})

function boundOf(node: unknown, absent: number): Bound {
  if (node === undefined) return absent
  const parameter = inside(node, 'ParamRef')
  if (parameter !== undefined)
    return typeof parameter['number'] === 'number' ? { parameter: parameter['number'] } : undefined
  const constant = inside(node, 'A_Const')
  if (constant === undefined) return undefined
  if (constant['isnull'] === true) return absent
  const whole = nodeOf(constant['ival'])
  // The parser leaves a zero out.
  const number = whole && (whole['ival'] ?? 0)
  return typeof number === 'number' ? number : undefined
}
