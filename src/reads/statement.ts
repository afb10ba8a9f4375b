// What one SQL text is, as far as it can be told without running it.
import type { OwnLimit } from './own-limit.js'

/** `read`: it only reads, if its functions and views do. Anything that is not understood is a `write`. */
export type Verdict = 'read' | 'write' | 'session' | 'transaction'

/** A name as the server would look it up: folded to lower case where it was not quoted, with its schema if one is given. */
export interface SqlName {
  readonly schema: string | undefined
  readonly name: string
}

/** The analysis of a text, shared by everybody who asks for an equal one. */
export interface Statement {
  /** By the text alone: of a read everything that it names has to be looked up as well. */
  readonly verdict: Verdict
  /** One SELECT, INSERT, UPDATE, DELETE or MERGE and nothing else: in autocommit it has done nothing when it is refused. */
  readonly plain: boolean
  /** The functions that it calls by name. Of a read only, as all that follows. */
  readonly functions: readonly SqlName[]
  /** The tables and views that it names, without its own WITH queries. */
  readonly relations: readonly SqlName[]
  /** The operators: any of them may be a user's, with a function of his own behind it. */
  readonly operators: readonly SqlName[]
  /** The types that it casts to. */
  readonly types: readonly SqlName[]
  /** Names after a dot: `row.name` is a call if the row has no such column and there is such a function. */
  readonly attributes: readonly string[]
  /** Names of which nothing else is known. The parser leaves none. */
  readonly mentions: readonly string[]
  /** Its answer changes by itself or tells of the server: the time, random values, the session, system columns and catalogs. */
  readonly volatile: boolean
  /** It has an ORDER BY of its own for all its rows. */
  readonly ordered: boolean
  /** Which rows or values come is the server's choice where an order leaves it one: LIMIT, DISTINCT ON, array_agg and the like. */
  readonly cut: boolean
  /** Its own LIMIT and OFFSET, where nothing else in the text cuts it. */
  readonly ownLimit: OwnLimit | undefined
  /**
   * The plain columns that it is ordered by or that its WHERE sets equal to one value, where it is one relation's rows and
   * nothing but its own LIMIT and OFFSET cuts it: with all columns of a unique key among them the order is total.
   */
  readonly orderKeys: readonly string[] | undefined
}

/** What is known of a text that is not understood. */
export const UNKNOWN: Statement = {
  verdict: 'write',
  plain: false,
  functions: [],
  relations: [],
  operators: [],
  types: [],
  attributes: [],
  mentions: [],
  volatile: true,
  ordered: false,
  cut: true,
  ownLimit: undefined,
  orderKeys: undefined,
}
