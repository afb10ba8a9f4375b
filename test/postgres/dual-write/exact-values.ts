// Values of every type that Postgres has and that a column can be of, and the types that no column can be filled with.
import { VALUES } from '../shadow-values.js'

const literal = (value: string): string => `'${value.replaceAll("'", "''")}'`

/** What the hard values for comparisons leave out, as expressions: not all of them have a text on every server. */
const MORE: Readonly<Record<string, readonly string[]>> = {
  '"bit"': [`b'1010'`, `b'0000'`, `b'1'`, `b''`],
  // Every kind of byte, also those that are no text in any encoding.
  '"char"': ['127::"char"', '0::"char"', '92::"char"', '34::"char"', '(-1)::"char"'],
  aclitem: [`'postgres=r*w/postgres'`, `'=X/postgres'`],
  // Without a length the blanks at the end are its own.
  bpchar: [`'a   '`, `''`, `'    '`, `'ab  c '`],
  cid: [`'0'`, `'4294967295'`],
  datemultirange: [`'{}'`, `'{[2024-01-01,2024-01-03),[2025-01-01,)}'`],
  int2vector: [`'1 -2 3'`, `''`],
  int4multirange: [`'{}'`, `'{[1,3),[5,)}'`],
  int8multirange: [`'{}'`, `'{[1,3),[9223372036854775806,)}'`],
  int8range: [`'empty'`, `'[-9223372036854775808,5)'`, `'(,)'`],
  oidvector: [`'1 4294967295'`, `''`],
  refcursor: [`'<unnamed portal 1>'`, `''`],
  regclass: [`'-'`, `'pg_class'`, `'4294967295'`],
  regcollation: [`'-'`, `'"C"'`],
  regconfig: [`'-'`, `'simple'`],
  regdictionary: [`'-'`, `'simple'`],
  regnamespace: [`'-'`, `'pg_catalog'`, `'4294967295'`],
  regoper: [`'0'`, `'|/'`, `'4294967295'`],
  regoperator: [`'0'`, `'=(bigint,bigint)'`],
  regproc: [`'-'`, `'now'`, `'4294967295'`],
  regprocedure: [`'-'`, `'abs(bigint)'`],
  regrole: [`'-'`, `'postgres'`],
  regtype: [`'-'`, `'bigint'`, `'timestamp with time zone[]'`, `'"char"'`],
  tid: [`'(0,0)'`, `'(4294967295,65535)'`],
  tsmultirange: [`'{}'`, `'{[0044-03-15 12:00:00 BC,2024-01-01 00:00:00.000001]}'`],
  tsrange: [`'[0044-03-15 12:00:00 BC,infinity]'`, `'(,"2024-01-01 00:00:00.000001")'`],
  txid_snapshot: [`'10:20:10,14,15'`, `'1:1:'`],
  varchar: [`'a '`, `''`],
  xid: [`'0'`, `'4294967295'`],
  xid8: [`'0'`, `'18446744073709551615'`],
}

/** By the name of the type. */
export const SAMPLES: ReadonlyMap<string, readonly string[]> = new Map([
  ...VALUES.filter(([type]) => type !== '"char"' && !/[[(]|^(colour|pair|price)$/.test(type)).map(
    ([type, ...values]): [string, readonly string[]] => [type, values.map(literal)],
  ),
  ...Object.entries(MORE),
])

/**
 * Exact in a column of the type, and not within an array or a row, whose own text has another form of it: XML is printed
 * without its declaration, and a "char" above 127, before Postgres 16, as a byte that is no text.
 */
export const ALONE: Readonly<Record<string, readonly string[]>> = {
  xml: [
    `'<?xml version="1.0" encoding="UTF-8" standalone="no"?><a/>'`,
    `'<?xml version="1.0"?><!DOCTYPE a><a/>'`,
  ],
  '"char"': ['(-1)::"char"'],
}

/** No column holds a value of these: their input refuses every text, and only the server itself makes them. */
export const UNREADABLE = [
  'gtsvector',
  'pg_brin_bloom_summary',
  'pg_brin_minmax_multi_summary',
  'pg_dependencies',
  'pg_mcv_list',
  'pg_ndistinct',
  'pg_node_tree',
] as const
