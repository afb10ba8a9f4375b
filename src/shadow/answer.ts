// An answer of one side as the server has sent it, before any type parser has touched it.

export interface AnswerField {
  readonly name: string
  /** The OID of its type; from 16384 on it is the server's own and says nothing on the other side. */
  readonly type: number
}

/** A value in the server's text form; null for NULL. */
export type RawValue = string | null

export interface Answer {
  readonly fields: readonly AnswerField[]
  readonly rowCount: number
  readonly bytes: number
  /** From sending to the last row. */
  readonly millis: number
  /** Equal for equal rows in whatever order, with each value in its canonical form. */
  readonly digest: string
  /** Equal for equal rows in the same order. */
  readonly orderedDigest: string
  /** As long as they fit; undefined for large answers, of which the digests are kept alone. */
  readonly rows: readonly (readonly RawValue[])[] | undefined
}
