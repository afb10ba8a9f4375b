// Tells reads by their words where the parser is not installed: so strictly that whatever it is in doubt of is a write.
import { isMoving, MOVING_CONSTANT, ORDER_BOUND, SYSTEM_COLUMNS, SYSTEM_TYPES } from './built-ins.js'
import { scan, type Token } from './scan.js'
import { UNKNOWN, type SqlName, type Statement } from './statement.js'

const set = (words: string): ReadonlySet<string> => new Set(words.trim().split(/\s+/))

/** They write or lock; a column of such a name makes its text a write too. */
const REFUSED = set('insert update delete merge into share table')

/**
 * SQL's own words before a bracket. A function may have the name of some of them: all words are looked up as names as well,
 * so that one that writes is found.
 */
const NO_CALL = set(`
  all and any array as between by case cast coalesce distinct else except exists extract filter from greatest group grouping
  having ilike in intersect is join lateral least like limit materialized not nullif offset on or over overlay position row
  select similar some substring then trim union using values when where
  bit char character dec decimal float interval numeric time timestamp varchar varying`)

/** Inside their brackets FROM is no clause. */
const OWN_FROM = set('extract substring trim overlay position')
const END_OF_FROM = set(
  'where group having order limit offset fetch union except intersect window select values with',
)
const MOVING_WORDS = set(`
  current_date current_time current_timestamp localtime localtimestamp current_user current_role current_catalog
  current_schema session_user user tablesample`)
const CUTTING_WORDS = set('limit offset fetch rows')
/** SQL's own words that a string may follow. */
const BEFORE_STRING = set(`
  all and any as between both by case distinct else escape except from having ilike in intersect is leading like limit not
  offset on or select similar symmetric then to trailing union uescape using when where zone placing`)
/** What SQL calls types that the catalogs have under other names. */
const TYPE_WORDS = set(`
  bigint bit boolean char character dec decimal double float int integer interval national nchar numeric real smallint time
  timestamp varchar`)

interface Level {
  readonly ownFrom: boolean
  readonly isCast: boolean
  inFrom: boolean
}

/** A text that is understood is one SELECT, perhaps with WITH before it. `plain` is never known this way. */
export function byKeywords(text: string): Statement {
  const tokens = scan(text)
  if (tokens === undefined) return UNKNOWN
  if (isMark(tokens.at(-1), ';')) return fromTokens(tokens.slice(0, -1))
  return fromTokens(tokens)
}

function fromTokens(tokens: readonly Token[]): Statement {
  const first = wordAt(tokens, 0)
  if (first !== 'select' && first !== 'with') return UNKNOWN
  const functions: SqlName[] = []
  const relations: SqlName[] = []
  const operators: SqlName[] = []
  const types: SqlName[] = []
  const attributes = new Set<string>()
  const mentions = new Set<string>()
  const levels: Level[] = [{ ownFrom: false, isCast: false, inFrom: false }]
  const own = withNames(tokens)
  let volatile = false
  let cut = false
  let ordered = false
  /** The next name is that of a relation. */
  let expected = false
  for (const [index, token] of tokens.entries()) {
    const level = levels.at(-1)
    if (level === undefined) return UNKNOWN
    if (token.kind === 'operator') {
      if (token.text === '=>') return UNKNOWN
      operators.push({ schema: undefined, name: token.text })
    } else if (token.kind === 'string') {
      // `name(…) '…'` is a type with a modifier, whatever function has that name.
      if (isMark(tokens[index - 1], ')')) return UNKNOWN
      volatile ||= MOVING_CONSTANT.test(token.text)
    } else if (token.kind === 'mark') {
      if (token.text === ';' || token.text === ':') return UNKNOWN
      if (token.text === '(' || token.text === '[') {
        const before = wordAt(tokens, index - 1) ?? ''
        levels.push({ ownFrom: OWN_FROM.has(before), isCast: before === 'cast', inFrom: expected })
      } else if (token.text === ')' || token.text === ']') {
        levels.pop()
        expected = false
      } else if (token.text === ',') expected = level.inFrom
    } else if (token.kind === 'word' || token.kind === 'quoted') {
      const name = token.text
      mentions.add(name)
      const word = token.kind === 'word' ? name : ''
      if (REFUSED.has(word)) return UNKNOWN
      if (MOVING_WORDS.has(word) || SYSTEM_COLUMNS.has(name) || SYSTEM_TYPES.has(name)) volatile = true
      if (CUTTING_WORDS.has(word) || (word === 'on' && wordAt(tokens, index - 1) === 'distinct')) cut = true
      if (word === 'order' && levels.length === 1) ordered = true
      if (END_OF_FROM.has(word)) [level.inFrom, expected] = [false, false]
      const isPart = isMark(tokens[index - 1], '.')
      if (isPart) attributes.add(name)
      const schema = isPart ? nameAt(tokens, index - 2) : undefined
      if (isType(tokens, index, isPart ? index - 2 : index, level) && !TYPE_WORDS.has(word))
        types.push({ schema, name })
      if (word === 'from' && !isPart && !level.ownFrom && !isComparison(tokens, index))
        [level.inFrom, expected] = [true, true]
      else if (word === 'join' && level.inFrom) expected = true
      else if (isMark(tokens[index + 1], '(')) {
        if (word === '' || isPart || !NO_CALL.has(word)) {
          functions.push({ schema, name })
          volatile ||= isMoving(name) || name === 'age'
          cut ||= ORDER_BOUND.has(name)
        }
        if (word !== 'lateral') expected = false
      } else if (expected && word !== 'only' && word !== 'lateral' && !isMark(tokens[index + 1], '.')) {
        if (schema !== undefined || index < (own.get(name) ?? Infinity)) {
          relations.push({ schema, name })
          volatile ||= schema === 'information_schema' || name.startsWith('pg_')
        }
        expected = false
      }
    }
  }
  if (levels.length !== 1) return UNKNOWN
  return {
    verdict: 'read',
    plain: false,
    functions,
    relations,
    operators,
    types,
    attributes: [...attributes],
    mentions: [...mentions],
    volatile,
    ordered,
    cut,
    ownLimit: undefined,
    orderKeys: undefined,
  }
}

/**
 * What the text names by the WITH that it begins with, and the token from which on each name is that. A WITH further within
 * has a scope that words do not tell.
 */
function withNames(tokens: readonly Token[]): ReadonlyMap<string, number> {
  const names = new Map<string, number>()
  if (wordAt(tokens, 0) !== 'with') return names
  const recursive = wordAt(tokens, 1) === 'recursive'
  let depth = 0
  let name: string | undefined
  for (const [index, token] of tokens.entries()) {
    if (isMark(token, '(')) depth++
    else if (isMark(token, ')')) {
      depth--
      if (depth === 0 && name !== undefined) names.set(name, recursive ? 0 : index)
    } else if (depth > 0) continue
    else if (wordAt(tokens, index) === 'as') name = nameAt(tokens, index - 1)
    else if (wordAt(tokens, index) === 'select') break
  }
  return names
}

/** `::name`, `cast(… as name)` and `name '…'`; with a schema the name begins earlier. */
function isType(tokens: readonly Token[], index: number, start: number, { isCast }: Level): boolean {
  if (isMark(tokens[index + 1], '.')) return false
  if (isMark(tokens[start - 1], '::')) return true
  if (isCast && wordAt(tokens, start - 1) === 'as') return true
  return tokens[index + 1]?.kind === 'string' && !BEFORE_STRING.has(wordAt(tokens, index) ?? '')
}

/** The FROM of IS [NOT] DISTINCT FROM. */
const isComparison = (tokens: readonly Token[], index: number): boolean =>
  wordAt(tokens, index - 1) === 'distinct' && ['is', 'not'].includes(wordAt(tokens, index - 2) ?? '')

const isMark = (token: Token | undefined, text: string): boolean =>
  token?.kind === 'mark' && token.text === text

function wordAt(tokens: readonly Token[], index: number): string | undefined {
  const token = tokens[index]
  return token?.kind === 'word' ? token.text : undefined
}

function nameAt(tokens: readonly Token[], index: number): string | undefined {
  const token = tokens[index]
  return token?.kind === 'word' || token?.kind === 'quoted' ? token.text : undefined
}
