// Makes of a statement whose constants were replaced the text that people may see.

const NEXT =
  /(?<kept>"(?:[^"]|"")*"|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*)|(?<string>'(?:[^'\\]|'')*')|(?<line>--[^\n\r]*)|(?<block>\/\*)|(?<unsure>'|\$[A-Za-z_\u0080-\uffff$]|")/g

/**
 * Without comments, which may hold the ids of traces and users, and without the few strings that the parser leaves as they
 * are. Undefined where it is not sure what is which.
 */
export function shownText(normalised: string | undefined): string | undefined {
  if (normalised === undefined) return undefined
  let shown = ''
  let at = 0
  NEXT.lastIndex = 0
  for (let match = NEXT.exec(normalised); match !== null; match = NEXT.exec(normalised)) {
    const { kept, string, line, block, unsure } = match.groups ?? {}
    if (kept !== undefined) continue
    if (unsure !== undefined) return undefined
    shown += normalised.slice(at, match.index)
    at = NEXT.lastIndex
    if (string !== undefined) shown += `'…'`
    else if (line === undefined && block !== undefined) {
      const end = endOfComment(normalised, match.index)
      if (end === undefined) return undefined
      at = NEXT.lastIndex = end
      shown += ' '
    }
  }
  return (shown + normalised.slice(at)).trim()
}

/** Comments may stand in each other. */
function endOfComment(text: string, start: number): number | undefined {
  const mark = /\/\*|\*\//g
  mark.lastIndex = start
  let depth = 0
  for (let match = mark.exec(text); match !== null; match = mark.exec(text)) {
    depth += match[0] === '/*' ? 1 : -1
    if (depth === 0) return mark.lastIndex
  }
  return undefined
}
