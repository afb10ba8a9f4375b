// Shows how a text is cut without the parser, and that a doubtful one is left alone.
import { beforeAll, describe, expect, it } from 'vitest'
import { byKeywords } from '../../src/reads/keyword-rule.js'
import { scan } from '../../src/reads/scan.js'
import { loadStatements, type Statements } from '../../src/reads/statements.js'
import * as table from './statements-table.js'

const cut = (text: string): string | undefined =>
  scan(text)
    ?.map((token) => ('text' in token ? `${token.kind}:${token.text}` : token.kind))
    .join(' ')

describe('the scanner', () => {
  it.each([
    ['Select "A""b"', 'word:select quoted:A"b'],
    ["'it''s' E'\\'' $$a'b$$ $x$ $$ $x$", "string:it''s string:\\' string:a'b string: $$ "],
    ['a/*x/*y*/z*/b--c\nd', 'word:a word:b word:d'],
    ['a->>b::c=-1', 'word:a operator:->> word:b mark::: word:c operator:= operator:- number'],
    ['a<--b\nc', 'word:a operator:< word:c'],
    ['a@-b', 'word:a operator:@- word:b'],
    ['1.5e-3 .5 $12 a$b', 'number number parameter word:a$b'],
    ["b'01' x'1F' n'z' date'now'", 'string:01 string:1F string:z word:date string:now'],
  ])('%j is %s', (text, tokens) => expect(cut(text)).toBe(tokens))

  it.each([
    "'open",
    '"open',
    '$$open',
    '/* open',
    "'a\\'",
    'U&"\\0061"',
    "u&'x'",
    'é',
    'a¨',
    '1a',
    '$1a',
    '""',
    '{',
    'a\0',
  ])('%j is not cut', (text) => expect(scan(text)).toBeUndefined())
})

describe('the rule', () => {
  let parsed: Statements
  beforeAll(async () => (parsed = await loadStatements()))

  const all = Object.values(table).flat()

  it('takes no text for a read that the parser does not', () => {
    expect(
      all.filter((text) => byKeywords(text).verdict === 'read' && parsed.of(text).verdict !== 'read'),
    ).toEqual([])
  })

  it('looks every name up that the parser finds', () => {
    const missed = all.filter((text) => {
      const words = byKeywords(text)
      if (words.verdict !== 'read') return false
      const names = new Set([...words.mentions, ...words.operators.map(({ name }) => name)])
      const { functions, relations, attributes } = parsed.of(text)
      // What SQL's own words stand for is no name that anybody could make.
      return (
        [...functions, ...relations].some(
          ({ name, schema }) => schema !== 'pg_catalog' && !names.has(name),
        ) || attributes.some((name) => !names.has(name))
      )
    })
    expect(missed).toEqual([])
  })

  it('calls nothing plain', () => {
    expect(all.filter((text) => byKeywords(text).plain)).toEqual([])
  })
})
