// Says of texts whether they only read, by Postgres' own parser where the optional peer is installed.
import type { Side } from '../phase/phases.js'
import type { Statement } from './statement.js'

/** One statement on any connection to a side; pg's own `query` will do. */
export type CatalogQuery = (
  text: string,
  values?: readonly unknown[],
) => Promise<{ readonly rows: readonly Record<string, unknown>[] }>

export interface Statements {
  /** Remembered by text; a text that was seen before costs a look. */
  of(text: string): Statement
  /**
   * Whether this text only reads on this side, by the parser and by what {@link learn} has found in its catalogs. False
   * for everything as long as nothing was learnt of the side.
   */
  isRead(text: string, side: Side): boolean
  /** Reads which functions and views of a side may write; again whenever they may have changed. */
  learn(side: Side, query: CatalogQuery): Promise<void>
  /** Equal for texts that differ in their constants alone; undefined for what cannot be parsed. */
  fingerprint(text: string): string | undefined
  /** The text with its constants replaced, so that no user's value is in it; undefined for what cannot be parsed. */
  normalised(text: string): string | undefined
}

const PLAIN = new Set(['SelectStmt', 'InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt'])

// Texts of applications repeat; the few that build each text anew must not grow the memory.
const REMEMBERED_TEXTS = 2_000

/** Loads `libpg-query` if it is installed. Without it no text is ever run a second time on a guess. */
export async function loadStatements(): Promise<Statements> {
  const parser = await import('libpg-query').catch(() => undefined)
  await parser?.loadModule()
  const known = new Map<string, Statement>()
  const parse = (text: string): Statement => {
    const statement: Statement = { verdict: 'write', plain: false, functions: [], relations: [] }
    if (parser === undefined) return statement
    try {
      const { stmts } = parser.parseSync(text) as { stmts?: readonly { stmt?: object }[] }
      const [only, ...more] = stmts ?? []
      const plain =
        more.length === 0 &&
        Object.keys(only?.stmt ?? {}).every((kind) => PLAIN.has(kind)) &&
        only !== undefined
      return { ...statement, plain }
    } catch {
      return statement
    }
  }
  const of = (text: string): Statement => {
    const before = known.get(text)
    if (before !== undefined) return before
    if (known.size >= REMEMBERED_TEXTS) known.clear()
    const statement = parse(text)
    known.set(text, statement)
    return statement
  }
  return {
    of,
    isRead: () => false,
    learn: () => Promise.resolve(),
    fingerprint: () => undefined,
    normalised: () => undefined,
  }
}
