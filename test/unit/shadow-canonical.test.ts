// Which written forms of a value are the same value, type by type.
import { describe, expect, it } from 'vitest'
import { BUILT_IN, canonicalOf, canonicalValue } from '../../src/shadow/canonical.js'

type TypeName = keyof typeof BUILT_IN
type Case = readonly [type: TypeName | number, one: string, other: string]

/** In an array of such a type too, where one is made below. */
const TEXT = 25
const [DATE, TIMETZ, INT4_ARRAY, RECORD, FIRST_OWN, BYTEA, MONEY] = [1082, 1266, 1007, 2249, 16_384, 17, 790]

const SAME: readonly Case[] = [
  ['numeric', '1.50', '1.5'],
  ['numeric', '100', '100.000'],
  ['numeric', '0.00', '0'],
  ['numeric', '-7.10', '-7.1'],
  ['numeric', 'NaN', 'NaN'],
  ['numeric', 'Infinity', 'Infinity'],
  ['float8', '-0', '0'],
  ['float8', '0.1', '0.10000000000000001'],
  ['float8', '1e+100', '1e100'],
  ['float8', 'NaN', 'NaN'],
  ['float4', '0.1', '0.100000001'],
  ['float4', '-0', '0'],
  ['point', '(-0,1)', '(0,1)'],
  ['circle', '<(0.10000000000000001,-0),1e+20>', '<(0.1,0),100000000000000000000>'],
  ['bpchar', 'ab   ', 'ab'],
  ['timestamptz', '2024-03-31 12:00:00+00', '2024-03-31 14:00:00+02'],
  ['timestamptz', '2024-03-01 00:30:00.5+05:30', '2024-02-29 19:00:00.5+00'],
  ['timestamptz', '1890-01-01 00:00:00+00:53:28', '1889-12-31 23:06:32+00'],
  ['timestamptz', '0001-01-01 00:00:00+00', '0001-12-31 19:00:00-05 BC'],
  ['timestamptz', '12024-01-01 00:00:00+00', '12023-12-31 23:00:00-01'],
  ['timestamptz', 'infinity', 'infinity'],
  ['interval', '1 mon', '30 days'],
  ['interval', '1 day', '24:00:00'],
  ['interval', '1 year 2 mons', '14 mons'],
  ['interval', '-1 days +24:00:00', '00:00:00'],
  ['interval', '1 day -00:00:00.5', '23:59:59.5'],
  ['json', '{"a": 1, "b": [1, 2]}', '{"b":[1,2],"a":1}'],
  ['json', '{"a":1,"a":2}', '{"a":2}'],
  ['json', '[1.0, -0, 1e2, 10E-1]', '[1,0,100,1]'],
  ['json', '"\\u0041\\/"', '"A/"'],
  ['json', '"\\\\"', '"\\u005c"'],
  ['json', ' {} ', '{}'],
  ['json', '123456789012345678901234567890.10', '123456789012345678901234567890.1'],
  ['json', '1e30', '1000000000000000000000000000000'],
  ['json', '0.000100', '1e-4'],
  ['jsonb', '{"a": 1.00}', '{"a": 1}'],
  ['jsonb', '["a.10", {"b\\" 1.0": 2.50}]', '["a.10", {"b\\" 1.0": 2.5}]'],
  ['json', '{"2":1,"10":1e0,"a":[]}', '{"a":[],"10":1,"2":1.0}'],
  ['json', '{"__proto__":1,"a":2}', '{"a":2,"__proto__":1e0}'],
  ['json', '[0.5, 0.0000001, 1500]', '[5e-1, 1E-7, 0.0000000000000000015e+21]'],
  ['json', '[100000000000000000000000, 12]', '[1e23, 12]'],
  ['numrange', '[1.0,2.50)', '[1,2.5)'],
  ['tstzrange', '["2024-01-01 00:00:00+00",)', '["2024-01-01 01:00:00+01",)'],
  ['nummultirange', '{[1.0,2.0),[3,4)}', '{[1,2),[3,4.0)}'],
  [
    'tstzmultirange',
    '{["2024-01-01 00:00:00+00","2024-01-02 00:00:00+00")}',
    '{["2024-01-01 01:00:00+01","2024-01-02 01:00:00+01")}',
  ],
]

const DIFFERENT: readonly Case[] = [
  ['numeric', '1.50', '1.51'],
  ['numeric', '10', '1'],
  ['numeric', '100', '1'],
  ['numeric', 'NaN', 'Infinity'],
  ['numeric', 'Infinity', '-Infinity'],
  ['numeric', '12345678901234567890.1', '12345678901234567890.2'],
  ['float8', 'NaN', 'Infinity'],
  ['float8', '0.1', '0.10000000000000002'],
  ['float8', '0', '5e-324'],
  ['float4', '0.1', '0.10000001'],
  ['point', '(1,2)', '(2,1)'],
  ['bpchar', ' ab', 'ab'],
  ['bpchar', 'ab\t', 'ab'],
  ['timestamptz', '2024-03-31 12:00:00+00', '2024-03-31 12:00:00+02'],
  ['timestamptz', '2024-03-31 12:00:00.000001+00', '2024-03-31 12:00:00+00'],
  ['timestamptz', '0001-01-01 00:00:00+00', '0001-01-01 00:00:00+00 BC'],
  ['timestamptz', '2024-02-28 24:00:00+00', '2024-03-01 00:00:00+00'],
  ['timestamptz', 'infinity', '-infinity'],
  ['interval', '1 mon', '31 days'],
  ['interval', '1 day', '-1 days'],
  ['interval', '00:00:00.1', '00:00:00.01'],
  ['interval', '-00:00:00.1', '00:00:00.1'],
  ['json', '12345678901234567890', '12345678901234567891'],
  ['json', '1e400', '1e401'],
  ['json', '1', '10'],
  ['json', '1', '-1'],
  ['json', '1', '"1"'],
  ['json', '{"a":null}', '{}'],
  ['json', '[1,2]', '[2,1]'],
  ['json', '[[1],2]', '[1,[2]]'],
  ['json', '{"a":"b\\",\\"c"}', '{"a":"b","c":""}'],
  ['json', '"a b"', '"ab"'],
  ['json', '"\\ud800"', '"\\ud801"'],
  ['jsonb', '{"a": 1}', '{"a": "1"}'],
  ['jsonb', '["1.50"]', '["1.5"]'],
  ['jsonb', '["a\\\\", 1.01]', '["a\\\\", 1.1]'],
  ['json', '["1.50"]', '["1.5"]'],
  ['json', '{"__proto__":1}', '{}'],
  ['json', '0.1234567890123456', '0.12345678901234561'],
  ['json', '[1e-400]', '[0]'],
  ['numrange', '[1,2)', '(1,2)'],
  ['numrange', '[1,2)', '[1,2]'],
  ['numrange', '(,2)', '(-Infinity,2)'],
  ['numrange', 'empty', '(,)'],
  ['nummultirange', '{[1,2),[3,4)}', '{[1,4)}'],
  ['nummultirange', '{}', '{(,)}'],
  [TEXT, '1.50', '1.5'],
  [TEXT, 'a ', 'a'],
  [TEXT, '', ' '],
  [DATE, '2024-01-01', '2024-01-02'],
  // For `=` too: the zone that was written is part of the value.
  [TIMETZ, '12:00:00+02', '10:00:00+00'],
  [INT4_ARRAY, '{1,2}', '{2,1}'],
  [RECORD, '(1.0)', '(1)'],
  [FIRST_OWN, '1.0', '1'],
  [BYTEA, '\\x00', '\\x0000'],
  [MONEY, '$1.00', '€1.00'],
]

const oidOf = (type: TypeName | number): number => (typeof type === 'number' ? type : BUILT_IN[type].oid)
const quoted = (text: string): string => `"${text.replaceAll(/["\\]/g, '\\$&')}"`

describe('two forms of a value', () => {
  it.each(SAME)('of %s: %s is %s', (type, one, other) => {
    expect(canonicalValue(one, oidOf(type))).toBe(canonicalValue(other, oidOf(type)))
  })

  it.each(DIFFERENT)('of %s: %s is not %s', (type, one, other) => {
    expect(canonicalValue(one, oidOf(type))).not.toBe(canonicalValue(other, oidOf(type)))
  })

  it.each(
    [...SAME.map((pair) => [true, ...pair] as const), ...DIFFERENT.map((pair) => [false, ...pair] as const)]
      .filter(([, type]) => typeof type === 'string')
      .map(([same, type, one, other]) => [same, type as TypeName, one, other] as const),
  )('in an array: %s for %s, %s and %s', (same, type, one, other) => {
    const array = (element: string): string =>
      type === 'box' ? `{${element};NULL}` : `{{${quoted(element)},NULL},{${quoted('')},${quoted(element)}}}`
    const forms = [one, other].map((element) => canonicalValue(array(element), BUILT_IN[type].array))
    expect(forms[0] === forms[1]).toBe(same)
  })
})

describe('an array', () => {
  const NUMERICS = BUILT_IN.numeric.array
  const JSONS = BUILT_IN.json.array
  it.each([
    ['nothing is not NULL', NUMERICS, '{}', '{NULL}'],
    ['NULL is not the text NULL', BUILT_IN.bpchar.array, '{NULL}', '{"NULL"}'],
    ['its lower bounds count', NUMERICS, '[0:1]={1,2}', '{1,2}'],
    ['its dimensions count', NUMERICS, '{{1,2},{3,4}}', '{{1},{2},{3},{4}}'],
    ['a comma inside is none between', BUILT_IN.bpchar.array, '{"a,b"}', '{a,b}'],
    ['a quote inside ends nothing', BUILT_IN.bpchar.array, '{"a\\",\\"b"}', '{a,b}'],
  ])('%s', (_, type, one, other) => {
    expect(canonicalValue(one, type)).not.toBe(canonicalValue(other, type))
  })

  it('has its elements in one form', () => {
    expect(canonicalValue('[2:3]={1.0,NULL}', NUMERICS)).toBe(canonicalValue('[2:3]={1.00,NULL}', NUMERICS))
    expect(canonicalValue('{"{\\"a\\": 1.0, \\"b\\": 2}"}', JSONS)).toBe(
      canonicalValue('{"{\\"b\\": 2.0, \\"a\\": 1}"}', JSONS),
    )
    expect(canonicalValue('{(1,-0),(0,0);(1,0),(0,0)}', BUILT_IN.box.array)).toBe(
      canonicalValue('{(1,0),(0,0);(1,-0),(0,0)}', BUILT_IN.box.array),
    )
  })
})

describe('what cannot be read', () => {
  it.each(['{', '{"a"}', '[1,]', '"', 'nul', '1 2', '--1', ''])('json %j is its own form', (text) => {
    expect(canonicalValue(text, BUILT_IN.json.oid)).toBe(text)
  })

  it('as is JSON that is nested too deeply', () => {
    const deep = '['.repeat(200_000) + ']'.repeat(200_000)
    expect(canonicalValue(deep, BUILT_IN.json.oid)).toBe(deep)
  })
})

it('is nothing but there where the server alone decides it', () => {
  const xmin = canonicalOf({ name: 'xmin', type: 28, system: true })
  expect(xmin?.('731')).toBe(xmin?.('912'))
  expect(canonicalOf({ name: 'xmin', type: 28 })).toBeUndefined()
})
