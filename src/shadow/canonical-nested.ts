// Arrays, ranges and multiranges in one form, made of the canonical forms of what they hold.

type Canonical = (raw: string) => string

/** Lower bounds that are not 1 stand before it and count, as they do for `=`. */
export function canonicalArray(element: Canonical, delimiter = ','): Canonical {
  return (raw) => {
    // Either `{…}` or `[2:3]={…}`.
    let at = raw.indexOf('{')
    let out = raw.slice(0, at)
    while (at < raw.length) {
      const next = raw.charAt(at)
      if (next === '{' || next === '}' || next === delimiter) {
        out += next
        at++
      } else if (next === '"') {
        const { text, end } = quoted(raw, at)
        out += JSON.stringify(element(text))
        at = end
      } else {
        const end = plainEnd(raw, at, delimiter, '}')
        const text = raw.slice(at, end)
        out += text === 'NULL' ? text : JSON.stringify(element(text))
        at = end
      }
    }
    return out
  }
}

export function canonicalRange(bound: Canonical): Canonical {
  return (raw) => (raw === 'empty' ? raw : readRange(raw, 0, bound).text)
}

export function canonicalMultirange(bound: Canonical): Canonical {
  return (raw) => {
    const ranges: string[] = []
    let at = 1
    while (at < raw.length - 1) {
      const { text, end } = readRange(raw, at, bound)
      ranges.push(text)
      // Behind the comma.
      at = end + 1
    }
    return ranges.join(' ')
  }
}

/** A bound that is missing stays so: it is not the same as one that is infinite. */
function readRange(raw: string, start: number, bound: Canonical): { text: string; end: number } {
  const low = readBound(raw, start + 1, bound)
  const high = readBound(raw, low.end + 1, bound)
  return { text: `${raw.charAt(start)}${low.text},${high.text}${raw.charAt(high.end)}`, end: high.end + 1 }
}

function readBound(raw: string, at: number, bound: Canonical): { text: string; end: number } {
  if (raw.charAt(at) === '"') {
    const { text, end } = quoted(raw, at)
    return { text: bound(text), end }
  }
  const end = plainEnd(raw, at, ',', ')', ']')
  return { text: end === at ? '' : bound(raw.slice(at, end)), end }
}

/** Inside, both a backslash and a doubled quote stand for themselves. */
function quoted(raw: string, start: number): { text: string; end: number } {
  let text = ''
  let at = start + 1
  while (at < raw.length) {
    const next = raw.charAt(at)
    if (next === '\\') at++
    else if (next === '"') {
      if (raw.charAt(at + 1) !== '"') break
      at++
    }
    text += raw.charAt(at)
    at++
  }
  return { text, end: at + 1 }
}

function plainEnd(raw: string, start: number, ...stops: readonly string[]): number {
  let at = start
  while (at < raw.length && !stops.includes(raw.charAt(at))) at++
  return at
}
