// Cuts a text into tokens as the server does, or gives up: what it is not sure of it does not cut.

export type Token =
  | { readonly kind: 'word' | 'quoted' | 'operator'; readonly text: string }
  | { readonly kind: 'string'; readonly text: string }
  | { readonly kind: 'number' | 'parameter' }
  /** `( ) [ ] , . ; :` or `::`. */
  | { readonly kind: 'mark'; readonly text: string }

const SPACE = /[ \t\n\r\f\v]+/y
const LINE_COMMENT = /--[^\n\r]*/y
// Letters beyond ASCII are folded by rules of the server's locale: they are taken in quotes alone.
const WORD = /[A-Za-z_][A-Za-z0-9_$]*/y
const NUMBER = /(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+)(?:[eE][+-]?\d+)?/y
const PARAMETER = /\$\d+/y
const QUOTED = /"((?:[^"\0]|"")+)"/y
// A backslash means one thing or another as the server is set: only a string that has none is sure.
const STRING = /'((?:[^'\\\0]|'')*)'/y
const ESCAPED = /'((?:[^'\\\0]|''|\\[^\0])*)'/y
const DOLLAR_QUOTE = /\$(?:[A-Za-z_][A-Za-z0-9_]*)?\$/y
const OPERATOR = /[+\-*/<>=~!@#%^&|`?]+/y
const MARK = /::|[()[\],.;:]/y
const MAY_END_IN_SIGN = /[~!@#%^&|`?]/

/** Undefined for a text that is not cut with certainty. */
export function scan(text: string): readonly Token[] | undefined {
  const tokens: Token[] = []
  let at = 0
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match !== null) at = pattern.lastIndex
    return match
  }
  while (at < text.length) {
    if (take(SPACE) || take(LINE_COMMENT)) continue
    if (text.startsWith('/*', at)) {
      const end = endOfComment(text, at)
      if (end === undefined) return undefined
      at = end
      continue
    }
    const start = at
    const word = take(WORD)?.[0].toLowerCase()
    if (word !== undefined) {
      const next = text[at]
      if (next !== undefined && next > '\x7f') return undefined
      if (word === 'u' && next === '&') return undefined
      if (next === "'" && 'ebxn'.includes(word)) {
        const string = take(word === 'e' ? ESCAPED : STRING)
        if (string === null) return undefined
        tokens.push({ kind: 'string', text: string[1] ?? '' })
      } else tokens.push({ kind: 'word', text: word })
      continue
    }
    const quoted = take(QUOTED)
    const string = quoted ? null : take(STRING)
    if (quoted) tokens.push({ kind: 'quoted', text: (quoted[1] ?? '').replaceAll('""', '"') })
    else if (string) tokens.push({ kind: 'string', text: string[1] ?? '' })
    else if (take(PARAMETER)) tokens.push({ kind: 'parameter' })
    else if (take(NUMBER)) tokens.push({ kind: 'number' })
    else if (take(MARK)) tokens.push({ kind: 'mark', text: text.slice(start, at) })
    else {
      const quote = take(DOLLAR_QUOTE)?.[0]
      if (quote !== undefined) {
        const end = text.indexOf(quote, at)
        if (end === -1) return undefined
        tokens.push({ kind: 'string', text: text.slice(at, end) })
        at = end + quote.length
      } else {
        const operator = operatorAt(take(OPERATOR)?.[0])
        if (operator === undefined) return undefined
        at = start + operator.length
        tokens.push({ kind: 'operator', text: operator })
      }
      continue
    }
    // `1and 2`, `$1and`: taken by some servers and refused by others.
    const last = tokens.at(-1)?.kind
    if ((last === 'number' || last === 'parameter') && /[\w$\u0080-\uffff]/.test(text[at] ?? ''))
      return undefined
  }
  return tokens
}

function endOfComment(text: string, start: number): number | undefined {
  let depth = 0
  for (let at = start; at < text.length;) {
    if (text.startsWith('/*', at)) depth++
    else if (text.startsWith('*/', at)) depth--
    else {
      at++
      continue
    }
    at += 2
    if (depth === 0) return at
  }
  return undefined
}

/** Where a run of signs is one operator: up to a comment, and without a sign at its end that belongs to what follows. */
function operatorAt(run: string | undefined): string | undefined {
  if (run === undefined) return undefined
  const comment = run.search(/--|\/\*/)
  let operator = comment === -1 ? run : run.slice(0, comment)
  while (operator.length > 1 && /[+-]$/.test(operator) && !MAY_END_IN_SIGN.test(operator))
    operator = operator.slice(0, -1)
  return operator
}
