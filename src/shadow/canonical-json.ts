// JSON in one form: keys in one order, the last of a key that stands twice, no space, numbers by their exact value.
import { canonicalJsonNumber } from './canonical-number.js'

/** Text that cannot be read, or is nested too deeply for it, is its own form. */
export function canonicalJson(raw: string): string {
  try {
    return new Reader(raw).whole()
  } catch {
    return raw
  }
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
    const members = new Map<string, string>()
    this.#at++
    if (this.#peek() === '}') {
      this.#at++
      return '{}'
    }
    for (;;) {
      if (this.#peek() !== '"') throw new SyntaxError('no key')
      const key = this.#string()
      this.#take(':')
      members.set(key, this.#value())
      if (this.#take(',', '}') === '}') break
    }
    const keys = [...members.keys()].toSorted()
    return `{${keys.map((key) => `${key}:${members.get(key)}`).join(',')}}`
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
