// Says of texts whether they only read, by Postgres' own parser where the optional peer is installed.
import type { Side } from '../phase/phases.js'
import { analyse } from './analyse.js'
import { Catalog } from './catalog.js'
import { catalogRowsOf } from './catalog-rows.js'
import { CATALOG, CATALOG_FINGERPRINT } from './catalog-query.js'
import { CUTS, MOVES, MULTIPLIES, WRITES, type Flags } from './flags.js'
import { byKeywords } from './keyword-rule.js'
import { KnownStatements } from './known-statements.js'
import type { OwnLimit } from './own-limit.js'
import { UNKNOWN, type Statement } from './statement.js'

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
  /** Whether it is a read whose answer stays the same as long as no row is written: only such a one can be compared. */
  isSteady(text: string, side: Side): boolean
  /**
   * Whether the answer to a read is the server's choice: something cuts or strings together rows, in the text or in a view
   * or function that it names, and no order is known to leave no choice.
   */
  isChoice(text: string, side: Side): boolean
  /** Its own LIMIT and OFFSET, where nothing else leaves the server a choice, in the text or in what it names. */
  ownLimit(text: string, side: Side): OwnLimit | undefined
  /** Whether its ORDER BY and its WHERE leave no two rows equal, by the unique keys of the one relation that it reads. */
  isTotal(text: string, side: Side): boolean
  /**
   * Reads which functions and views of a side may write; again whenever they may have changed. It is one round trip where
   * nothing has. Rejects with the server's error, and then what was learnt before still holds.
   */
  learn(side: Side, query: CatalogQuery): Promise<void>
  /** Equal for texts that differ in their constants alone; undefined for what cannot be parsed. */
  fingerprint(text: string): string | undefined
  /** The text with its constants replaced, so that no user's value is in it; undefined for what cannot be parsed. */
  normalised(text: string): string | undefined
}

/** What is used of `libpg-query`. */
export interface Parser {
  parseSync(text: string): unknown
  fingerprintSync(text: string): string
  normalizeSync(text: string): string
}

/** Parsing takes a microsecond a letter, in which nothing else runs; a statement that met a fence is worth the time. */
const LONGEST_PARSED = 512 * 1024
/** While held every text is asked for. */
const LONGEST_READ = 32 * 1024

const FIRST_TEXT = `with a as (select 1) select distinct b.c, count(*) over (partition by d order by e), f::int,
  case when g then 'h' else coalesce(i, $1) end from b join j on k = l left join m using (n) where o in (1, 2)
  and p between 3 and 4 and exists (select from q) and not r group by s having t > 5 order by u desc limit 6`

/** Loads `libpg-query` if it is installed. Without it a text is told by its words, and none is run a second time on a guess. */
export async function loadStatements(): Promise<Statements> {
  const parser = await import('libpg-query').catch(() => undefined)
  await parser?.loadModule()
  // What is first used is first compiled, a tenth of a second in which nothing else runs: now rather than in a hold.
  attempt(() => parser?.parseSync(FIRST_TEXT))
  return statementsBy(parser)
}

/** As {@link loadStatements}, with a parser or without one. */
export function statementsBy(parser: Parser | undefined): Statements {
  const known = new KnownStatements(
    parser === undefined
      ? byKeywords
      : (text) =>
          text.length > LONGEST_PARSED
            ? UNKNOWN
            : (attempt(() => analyse(parser.parseSync(text))) ?? UNKNOWN),
  )
  const catalogs: Record<Side, Catalog | undefined> = { old: undefined, new: undefined }
  /** Each learning by its number, and the one whose catalogs a side has. */
  let begun = 0
  const newest: Record<Side, number> = { old: 0, new: 0 }

  const flagsOf = (text: string, side: Side): Flags => {
    const catalog = catalogs[side]
    if (catalog === undefined || text.length > LONGEST_READ) return WRITES
    const one = known.of(text)
    if (one.statement.verdict !== 'read') return WRITES
    let judged = one.judged[side]
    if (judged?.catalog !== catalog) {
      judged = { catalog, flags: catalog.judge(one.statement) }
      one.judged[side] = judged
    }
    return judged.flags
  }
  const isTotal = (text: string, side: Side): boolean => {
    const { orderKeys, relations } = known.of(text).statement
    const [relation] = relations
    if (orderKeys === undefined || relation === undefined || relations.length > 1) return false
    if ((flagsOf(text, side) & MULTIPLIES) !== 0) return false
    return catalogs[side]?.isTotal(relation, orderKeys) ?? false
  }

  return {
    of: (text) => known.of(text).statement,
    isRead: (text, side) => (flagsOf(text, side) & WRITES) === 0,
    isSteady: (text, side) =>
      (flagsOf(text, side) & (WRITES | MOVES)) === 0 && !known.of(text).statement.volatile,
    isChoice: (text, side) =>
      (flagsOf(text, side) & CUTS) !== 0 || (known.of(text).statement.cut && !isTotal(text, side)),
    ownLimit: (text, side) =>
      (flagsOf(text, side) & CUTS) === 0 ? known.of(text).statement.ownLimit : undefined,
    isTotal,
    learn: async (side, query) => {
      const number = ++begun
      const before = catalogs[side]
      let catalog = before
      const { rows } = before === undefined ? { rows: [] } : await query(CATALOG_FINGERPRINT)
      if (before === undefined || rows[0]?.['fingerprint'] !== before.fingerprint)
        catalog = await Catalog.of(await catalogRowsOf((await query(CATALOG)).rows))
      // Another one that began later may have been quicker, and has seen more.
      if (number < newest[side]) return
      newest[side] = number
      catalogs[side] = catalog
    },
    fingerprint: (text) => onceParsed(parser, text, (by) => by.fingerprintSync(text)),
    normalised: (text) => onceParsed(parser, text, (by) => by.normalizeSync(text)),
  }
}

/**
 * Of a text that cannot be parsed the parser gives its error message as if it were the answer, and there the text itself
 * may be in it.
 */
function onceParsed(
  parser: Parser | undefined,
  text: string,
  work: (parser: Parser) => string,
): string | undefined {
  if (parser === undefined || text.length > LONGEST_PARSED) return undefined
  return attempt(() => {
    parser.parseSync(text)
    return work(parser)
  })
}

/** Undefined for what the parser cannot take. */
function attempt<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}
