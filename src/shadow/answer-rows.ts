// Keeps the rows of an answer while all of them fit, and folds them into digests from then on.
import { RowDigest } from './answer-digest.js'
import { Pace } from './answer-pace.js'
import type { Answer, AnswerField, RawRow } from './answer.js'
import { canonicalOf } from './canonical.js'

/** Rows folded for each that comes, so that those kept so far are worked off without a long turn. */
const FOLDED_AT_ONCE = 2

export class AnswerRows {
  readonly #keepBytes: number
  #digest: RowDigest | undefined
  #kept: RawRow[] = []
  /** The first of `#kept` that is not folded yet. */
  #next = 0

  fields: readonly AnswerField[] = []
  count = 0
  bytes = 0

  constructor(keepBytes: number) {
    this.#keepBytes = keepBytes
  }

  add(row: RawRow, bytes: number): void {
    this.count++
    this.bytes += bytes
    if (this.#digest === undefined && this.bytes > this.#keepBytes)
      this.#digest = new RowDigest(this.fields.map(canonicalOf))
    if (this.#digest !== undefined && this.#next === this.#kept.length) {
      this.#digest.add(row)
      return
    }
    this.#kept.push(row)
    if (this.#digest !== undefined) this.#fold(this.#digest, FOLDED_AT_ONCE)
  }

  async end(): Promise<Pick<Answer, 'rows' | 'digests'>> {
    const digest = this.#digest
    if (digest === undefined) return { rows: this.#kept, digests: undefined }
    const pace = new Pace()
    while (this.#next < this.#kept.length) {
      this.#fold(digest, 1)
      if (pace.isDue()) await pace.turn()
    }
    return { rows: undefined, digests: digest.end() }
  }

  #fold(digest: RowDigest, most: number): void {
    for (let left = most; left > 0; left--) {
      const row = this.#kept[this.#next]
      if (row === undefined) break
      digest.add(row)
      this.#next++
    }
    if (this.#next < this.#kept.length) return
    this.#kept = []
    this.#next = 0
  }
}

/** Of an answer whose rows were kept, for comparing it with one whose rows were not. */
export async function digestRows(
  rows: readonly RawRow[],
  fields: readonly AnswerField[],
): Promise<Answer['digests']> {
  const digest = new RowDigest(fields.map(canonicalOf))
  const pace = new Pace()
  for (const row of rows) {
    digest.add(row)
    if (pace.isDue()) await pace.turn()
  }
  return digest.end()
}
