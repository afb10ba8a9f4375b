// What one SQL text is, as far as it can be told without running it.

/** `read`: it only reads, if its functions and views do. Anything that is not understood is a `write`. */
export type Verdict = 'read' | 'write' | 'session' | 'transaction'

/** A name as the server would look it up: folded to lower case where it was not quoted, with its schema if one is given. */
export interface SqlName {
  readonly schema: string | undefined
  readonly name: string
}

/** The analysis of a text, shared by everybody who asks for an equal one. */
export interface Statement {
  /** By the text alone: of a read the functions and relations have to be looked up as well. */
  readonly verdict: Verdict
  /** One SELECT, INSERT, UPDATE, DELETE or MERGE and nothing else: in autocommit it has done nothing when it is refused. */
  readonly plain: boolean
  /** The functions that it calls by name. */
  readonly functions: readonly SqlName[]
  /** The tables and views that it names, without its own WITH queries. */
  readonly relations: readonly SqlName[]
}
