// Tells whether two answers are equal, and what differs where they are not.
import { rowKey, rowText } from './answer-digest.js'
import { Pace } from './answer-pace.js'
import { digestRows } from './answer-rows.js'
import type { Answer, AnswerField, RawRow } from './answer.js'
import { canonicalOf } from './canonical.js'
import { hasFloats, Tolerance } from './compare-floats.js'

export interface CompareOptions {
  /** Whether the sequence of the rows counts. */
  readonly ordered: boolean
  /** The relative difference up to which floating-point numbers are equal; 0 for none. */
  readonly floatTolerance: number
}

/** The rows that one side alone has. */
export interface Surplus {
  readonly count: number
  /** As the server sent them; at most ten. */
  readonly rows: readonly RawRow[]
  /** Digests of the same rows. */
  readonly keys: readonly string[]
}

/** `detail` is a sentence without values. */
export type Comparison =
  | { readonly kind: 'equal' }
  /** The same rows in another sequence. */
  | { readonly kind: 'order'; readonly detail: string }
  | { readonly kind: 'rows'; readonly detail: string; readonly old: Surplus; readonly new: Surplus }
  | { readonly kind: 'columns'; readonly detail: string }
  /** Not as many rows, of which not all were kept. */
  | { readonly kind: 'count'; readonly detail: string }
  /** As many rows and not the same ones, of which not all were kept. */
  | { readonly kind: 'digest'; readonly detail: string }
  /** Floating-point numbers may be near enough, which cannot be told where the rows were not kept. */
  | { readonly kind: 'tooLarge'; readonly detail: string }

const SHOWN = 10
/** OIDs from here on are given out by each server for itself. */
const FIRST_OWN_OID = 16_384
const EQUAL = { kind: 'equal' } as const
const IN_ANOTHER_ORDER = { kind: 'order', detail: 'both sides have the same rows in another order' } as const

export async function compareAnswers(
  old: Answer,
  next: Answer,
  options: CompareOptions,
): Promise<Comparison> {
  const columns = differenceOfColumns(old.fields, next.fields)
  if (columns !== undefined) return { kind: 'columns', detail: columns }
  return old.rows !== undefined && next.rows !== undefined
    ? compareRows(old.rows, next.rows, old.fields, options)
    : compareDigests(old, next, options)
}

function differenceOfColumns(old: readonly AnswerField[], next: readonly AnswerField[]): string | undefined {
  if (old.length !== next.length)
    return `the old side answers with ${old.length} columns, the new side with ${next.length}`
  for (const [i, field] of old.entries()) {
    const other = next[i]
    if (other === undefined) continue
    const column = `column ${i + 1}`
    if (field.name !== other.name)
      return `${column} is named ${field.name} on the old side, ${other.name} on the new`
    if (kindOf(field) !== kindOf(other))
      return `${column} (${field.name}) is of ${kindOf(field)} on the old side, of ${kindOf(other)} on the new`
  }
  return undefined
}

const kindOf = ({ type }: AnswerField): string =>
  type < FIRST_OWN_OID ? `the type with OID ${type}` : 'a type of its own'

async function compareDigests(old: Answer, next: Answer, options: CompareOptions): Promise<Comparison> {
  if (old.rowCount !== next.rowCount)
    return { kind: 'count', detail: `the old side has ${old.rowCount} rows, the new side ${next.rowCount}` }
  const [one, other] = [await digestsOf(old), await digestsOf(next)]
  if (one?.multiset !== other?.multiset) {
    const detail = `both sides have ${old.rowCount} rows, which differ`
    return { kind: options.floatTolerance > 0 && hasFloats(old.fields) ? 'tooLarge' : 'digest', detail }
  }
  return options.ordered && one?.ordered !== other?.ordered ? IN_ANOTHER_ORDER : EQUAL
}

const digestsOf = async ({ digests, rows, fields }: Answer): Promise<Answer['digests']> =>
  digests ?? (rows && (await digestRows(rows, fields)))

async function compareRows(
  old: readonly RawRow[],
  next: readonly RawRow[],
  fields: readonly AnswerField[],
  { ordered, floatTolerance }: CompareOptions,
): Promise<Comparison> {
  const canonicals = fields.map(canonicalOf)
  const tolerance =
    floatTolerance > 0 && hasFloats(fields) ? new Tolerance(floatTolerance, fields) : undefined
  const pace = new Pace()
  const alone = { old: new Alone(), new: new Alone() }
  let inOrder = old.length === next.length
  for (let i = 0; i < Math.max(old.length, next.length); i++) {
    const [one, other] = [old[i], next[i]]
    // Taking equal rows away from both changes no difference, and most answers are equal to the letter.
    if (one !== undefined && other !== undefined && isSame(one, other)) continue
    const [text, otherText] = [one && rowText(one, canonicals), other && rowText(other, canonicals)]
    if (text === otherText) continue
    inOrder &&= one !== undefined && other !== undefined && tolerance?.accepts(one, other) === true
    if (one !== undefined && text !== undefined && !alone.new.takeTwin(text)) alone.old.put(text, one)
    if (other !== undefined && otherText !== undefined && !alone.old.takeTwin(otherText))
      alone.new.put(otherText, other)
    if (pace.isDue()) await pace.turn()
  }
  if (inOrder) return EQUAL
  const exact = { old: alone.old.rows(), new: alone.new.rows() }
  const left = tolerance ? await tolerance.unpaired(exact.old, exact.new) : exact
  if (left.old.length === 0 && left.new.length === 0) return ordered ? IN_ANOTHER_ORDER : EQUAL
  const surplus = (rows: readonly RawRow[]): Surplus => {
    const shown = rows.slice(0, SHOWN)
    return { count: rows.length, rows: shown, keys: shown.map((row) => rowKey(rowText(row, canonicals))) }
  }
  return {
    kind: 'rows',
    detail: `of ${old.length} rows of the old side the new one lacks ${left.old.length}; of ${next.length} of the new side the old one lacks ${left.new.length}`,
    old: surplus(left.old),
    new: surplus(left.new),
  }
}

const isSame = (one: RawRow, other: RawRow): boolean => one.every((raw, i) => raw === other[i])

/** Rows of one side that have no equal on the other so far. */
class Alone {
  readonly #byText = new Map<string, RawRow[]>()

  put(text: string, row: RawRow): void {
    const twins = this.#byText.get(text)
    if (twins) twins.push(row)
    else this.#byText.set(text, [row])
  }

  takeTwin(text: string): boolean {
    return this.#byText.get(text)?.pop() !== undefined
  }

  rows(): RawRow[] {
    return [...this.#byText.values()].flat()
  }
}
