// JSON in one form: keys in one order, the last of a key that stands twice, no space, numbers by their exact value.
import { canonicalJsonNumber, canonicalNumeric } from './canonical-number.js'

/** A number of so many digits that a double might not tell it from another, or one with an exponent. */
const INEXACT = /(?:^|[:,[\s])-?\d(?:[\d.]{15}|[\d.]*[eE])/

/** Text that cannot be read, or is nested too deeply for it, is its own form. */
export function canonicalJson(raw: string): string {
  try {
    return INEXACT.test(raw) ? new Reader(raw).whole() : JSON.stringify(sorted(JSON.parse(raw)))
  } catch {
    return raw
  }
}

/** The server itself writes jsonb in one form, but for the zeros behind its fractions. */
export function canonicalJsonb(raw: string): string {
  if (!/\.\d*0(?!\d)/.test(raw)) return raw
  return raw.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+\.\d+/g, (token) =>
    token.startsWith('"') ? token : canonicalNumeric(token),
  )
}

function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(sorted)
  const entries = Object.entries(value).map(([key, member]) => [key, sorted(member)] as const)
  return Object.fromEntries(entries.toSorted(([one], [other]) => (one < other ? -1 : 1)))
}

const SPACE = /[ \t\n\r]*/y
const SCALAR = /true|false|null|(-?\d[\d.eE+-]*)/y

class Reader {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  whole(): string {
    const value = this.#value()
    if (this.#peek() !== '') throw new SyntaxError('more than one value')
    return value
  }

  #value(): string {
    const next = this.#peek()
    if (next === '{') return this.#object()
    if (next === '[') return this.#array()
    if (next === '"') return this.#string()
    SCALAR.lastIndex = this.#at
    const found = SCALAR.exec(this.#text)
    if (!found) throw new SyntaxError('no value')
    this.#at = SCALAR.lastIndex
    return found[1] === undefined ? found[0] : canonicalJsonNumber(found[1])
  }

  #object(): string {
    const members: Record<string, string> = {}
    this.#at++
    if (this.#peek() === '}') {
      this.#at++
      return '{}'
    }
    for (;;) {
      if (this.#peek() !== '"') throw new SyntaxError('no key')
      const key: unknown = JSON.parse(this.#string())
      this.#take(':')
      Object.defineProperty(members, String(key), {
        value: this.#value(),
        configurable: true,
        enumerable: true,
      })
      if (this.#take(',', '}') === '}') break
    }
    // An object of its own has the sequence in which JSON.stringify writes its keys, numbers first.
    const inOrder = Object.entries(sorted(members) as Record<string, string>)
    return `{${inOrder.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`
  }

  #array(): string {
    this.#at++
    if (this.#peek() === ']') {
      this.#at++
      return '[]'
    }
    const items: string[] = []
    for (;;) {
      items.push(this.#value())
      if (this.#take(',', ']') === ']') return `[${items.join(',')}]`
    }
  }

  /** With its quotes; escapes are written as JSON.stringify writes them. */
  #string(): string {
    const start = this.#at
    let end = this.#text.indexOf('"', start + 1)
    while (end !== -1 && this.#isEscaped(end, start)) end = this.#text.indexOf('"', end + 1)
    if (end === -1) throw new SyntaxError('a string without an end')
    this.#at = end + 1
    const token = this.#text.slice(start, this.#at)
    if (!token.includes('\\')) return token
    const decoded: unknown = JSON.parse(token)
    return JSON.stringify(decoded)
  }

  #isEscaped(at: number, start: number): boolean {
    let first = at
    while (first - 1 > start && this.#text.charCodeAt(first - 1) === 92) first--
    return (at - first) % 2 === 1
  }

  #peek(): string {
    SPACE.lastIndex = this.#at
    SPACE.exec(this.#text)
    this.#at = SPACE.lastIndex
    return this.#text.charAt(this.#at)
  }

  #take(...expected: readonly string[]): string {
    const next = this.#peek()
    if (!expected.includes(next)) throw new SyntaxError('out of place')
    this.#at++
    return next
  }
}
