// Looks into the tree that the parser gives as plain data, of which nothing is taken for granted.
import type { SqlName } from './statement.js'

export type TreeNode = Readonly<Record<string, unknown>>

export const nodeOf = (value: unknown): TreeNode | undefined =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as TreeNode) : undefined

export const listOf = (value: unknown): readonly TreeNode[] =>
  Array.isArray(value) ? value.map(nodeOf).filter((one) => one !== undefined) : []

/** The one key of a node that is wrapped in its kind; undefined for the parser's empty places. */
export function kindOf(node: TreeNode): string | undefined {
  const kinds = Object.keys(node)
  return kinds.length === 1 ? kinds[0] : undefined
}

/** What is in a wrapped node if it is of this kind. */
export const inside = (value: unknown, kind: string): TreeNode | undefined => nodeOf(nodeOf(value)?.[kind])

export const textOf = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/** The words of a name in parts; undefined for a part that is no word, as the `*` of `t.*`. */
export const wordsOf = (list: unknown): readonly (string | undefined)[] =>
  listOf(list).map((one) => textOf(inside(one, 'String')?.['sval']))

/** A name of one, two or (with the database before it) three words. */
export function sqlNameOf(words: readonly (string | undefined)[]): SqlName | undefined {
  const name = words.at(-1)
  if (name === undefined || words.includes(undefined) || words.length > 3) return undefined
  return { schema: words.at(-2), name }
}
