// An answer of one side as the server has sent it, before any type parser has touched it.

export interface AnswerField {
  readonly name: string
  /** The OID of its type; from 16384 on it is the server's own and says nothing on the other side. */
  readonly type: number
  /** A system column, such as `ctid` or `xmin`: where a row lies and who wrote it, which each server decides alone. */
  readonly system?: true
}

/** A value in the server's text form; null for NULL. */
export type RawValue = string | null

export type RawRow = readonly RawValue[]

/** What is kept of rows that are too many to be kept, with each value in its canonical form. */
export interface Digests {
  /** Equal for equal rows in whatever order. */
  readonly multiset: string
  /** Equal for equal rows in the same order. */
  readonly ordered: string
}

export interface Answer {
  readonly fields: readonly AnswerField[]
  readonly rowCount: number
  /** Of its rows, as the server has sent them. */
  readonly bytes: number
  /** From sending to the last row. */
  readonly millis: number
  /** As long as all of them fit; undefined for large answers, of which the digests are kept alone. */
  readonly rows: readonly RawRow[] | undefined
  /** Of large answers; undefined where the rows are kept. */
  readonly digests: Digests | undefined
}

/** What came of asking; `reusable` is false where the connection was ended or is in doubt, and must not be used again. */
export type Asked =
  | { readonly kind: 'answer'; readonly answer: Answer; readonly reusable: boolean }
  /** Larger than `maxBytes`. */
  | { readonly kind: 'tooLarge'; readonly reusable: boolean }
  /** It took longer than `timeoutMillis`, or the server cancelled it. */
  | { readonly kind: 'timeout'; readonly reusable: boolean }
  | {
      readonly kind: 'failed'
      /** The SQLSTATE, or the code of a failed connection such as `ECONNRESET`; undefined where there was none. */
      readonly code: string | undefined
      readonly reusable: boolean
    }
