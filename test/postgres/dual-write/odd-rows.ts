// Types, names, texts and keys of an application that something on the way could stumble over.

/** Stands for the schema, which has another name on each side. */
export const S = 'SCHEMA'

/** Types of an application, with four values each. */
export const OWN: readonly (readonly [type: string, ...values: string[]])[] = [
  [`${S}.colour`, `'é'`, `'a,b'`, `'"{\\'`, 'null'],
  [`${S}.colour[]`, `'{"\\"{\\\\",red,NULL}'`, `'{}'`, `'[0:0]={é}'`, 'null'],
  [`${S}.liar`, `'false'`, `'true'`, 'null', 'null'],
  [`${S}.pair`, `'(1.50,"a "" ,\\\\")'`, 'row(null, null)', `'(,"")'`, 'null'],
  [
    `${S}.nested`,
    `row(row(1, ''), '{"(2.0,)",NULL}', 'a,b', 'x')`,
    'row(null, null, null, null)',
    'null',
    'null',
  ],
  [`${S}.nested[]`, `array[row(row(1, '"'), null, 'é', null)::${S}.nested]`, `'{}'`, `'{NULL}'`, 'null'],
  [`${S}.price`, '1.50', `'NaN'`, '-0.000', 'null'],
  [`${S}.shorter`, `'a   '`, `''`, `'ééééé'`, 'null'],
  [`${S}.prices`, `'{{1.0,NULL}}'`, `'{}'`, `'[2:2]={NaN}'`, 'null'],
  [`${S}.moment`, `'0044-03-15 12:00:00.000001+00 BC'`, `'infinity'`, `'4000-01-01'`, 'null'],
  [`${S}.both`, `row(row(1.0, ' '), null, 'red', 'y')`, 'null', 'null', 'null'],
  [`${S}.span`, `'[1.0,2.50)'`, `'empty'`, `'(,)'`, 'null'],
  [`${S}.pair[]`, `'{{"(1.0,a)"},{NULL}}'`, `'{}'`, `'[5:5]={"(,)"}'`, 'null'],
  ['public.citext', `'ÄbC'`, `''`, `'NULL'`, 'null'],
  ['public.hstore', `'"a\\"b"=>"{,}", c=>NULL'`, `''`, `'a=>1'`, 'null'],
  ['public.ltree', `'a.B_1'`, `''`, `'c'`, 'null'],
  ['char(7)', `' a '`, `''`, `'      \n'`, 'null'],
  ['varchar(3)', `'b  '`, `''`, `'"''\\'`, 'null'],
  ['bit(3)', `b'101'`, `b'000'`, `b'111'`, 'null'],
  ['timestamptz(2)', `'2024-01-01 00:00:00.125+00'`, `'2024-01-01'`, `'-infinity'`, 'null'],
  ['interval(1)', `'1 day -00:00:01.25'`, `'1 mon'`, `'-1 year'`, 'null'],
  ['numeric(8,3)', '1.2', '-0.0005', `'NaN'`, 'null'],
]

export const typesOf = (schema: string): string => `
  create extension citext schema public;
  create extension hstore schema public;
  create extension ltree schema public;
  create collation public.nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
  create collation public.german (provider = icu, locale = 'de-x-icu');
  create type ${schema}.colour as enum ('red', 'a,b', '"{\\', 'é');
  create type ${schema}.liar as enum ('true', 'false');
  create type ${schema}.pair as (a numeric, b text);
  create type ${schema}.nested as (p ${schema}.pair, list ${schema}.pair[], c ${schema}.colour, t char(5));
  create domain ${schema}.price as numeric check (value <> 666);
  create domain ${schema}.short as varchar(5);
  create domain ${schema}.shorter as ${schema}.short;
  create domain ${schema}.prices as ${schema}.price[];
  create domain ${schema}.moment as timestamptz;
  create domain ${schema}.both as ${schema}.nested;
  create type ${schema}.span as range (subtype = ${schema}.price);
  -- Casts that lie, as a type of the application's own may have them.
  create function ${schema}.lie(${schema}.liar) returns text language sql as $$ select 'true'::text $$;
  create function ${schema}.lie(text) returns ${schema}.liar language sql as $$ select 'true'::${schema}.liar $$;
  create cast (${schema}.liar as text) with function ${schema}.lie(${schema}.liar);
  create cast (text as ${schema}.liar) with function ${schema}.lie(text);`

/** All that a statement of the relay calls anything by. */
export const OUR_NAMES = [
  'x',
  'y',
  'z',
  'u',
  's',
  'w',
  'd',
  'zk',
  'hit',
  'place',
  'total',
  'taken',
  'gone',
  'rows',
  'c1',
  'c2',
  'excluded',
]

export const TEXTS = [
  '',
  ' ',
  'NULL',
  'null',
  '{}',
  '{"a",NULL}',
  '"',
  '\\',
  "'",
  ',',
  '(1,2)',
  '$1',
  '$$ $r$',
  '$r$',
  '$r',
  '\\N',
  '%s',
  "''; drop table t; --",
  "\\'",
  "\\\\''\\",
  "E'\\x00'",
  '\t\r\n\v\f\b\u0001\u007f',
  '\ufeffbom',
  '\u{1f600}\u{10ffff}\uffff',
  'e\u0301 \u202e',
  'x'.repeat(1_000) + '\'\\"'.repeat(100),
]

/** Keys of odd types, as DDL, rows, and rows that replace the first of them under a key that is equal. */
export const KEYS: readonly (readonly [
  name: string,
  columns: string,
  key: string,
  rows: string,
  again: string,
])[] = [
  ['number', 'id numeric', 'id', '(1.0), (2), (-0.00), (1e30)', `set id = 1.00 where id = 1`],
  ['moment', 'id timestamptz', 'id', `('2024-01-02 03:04:05.6+00'), ('0044-03-15 BC'), ('infinity')`, ''],
  ['name', 'id name', 'id', `('a''"\\'), ('')`, ''],
  ['blank', 'id char(4)', 'id', `(' a'), ('b')`, ''],
  ['float', 'id float8', 'id', `(0), (0.1), ('NaN'), (5e-324)`, `set id = '-0' where id = 0`],
  ['bytes', 'id bytea', 'id', `('\\x00ff'), ('\\x')`, ''],
  ['length', 'id interval', 'id', `('1 day'), ('-1 mon 00:00:01')`, `set id = '24:00:00' where id = '1 day'`],
  ['bits', 'id varbit', 'id', `(b'01'), (b'')`, ''],
  ['loose', 'id public.citext', 'id', `('aB'), ('c')`, `set id = 'AB' where id = 'ab'`],
  ['nocase', 'id text collate public.nocase', 'id', `('aB'), ('c')`, `set id = 'AB' where id = 'ab'`],
  ['german', 'id text collate public.german', 'id', `('ä'), ('a'), ('')`, ''],
  ['tree', 'id public.ltree', 'id', `('a.b'), ('')`, ''],
  ['enum', `id ${S}.colour`, 'id', `('a,b'), ('"{\\')`, ''],
  [
    'row',
    `id ${S}.pair`,
    'id',
    `(row(1.0, '"')), (row(2, null))`,
    `set id = row(1.00, '"') where (id).a = 1`,
  ],
  ['list', 'id numeric[]', 'id', `('{1.0,NULL}'), ('{}')`, `set id = '{1.00,NULL}' where id = '{1,NULL}'`],
  ['range', `id ${S}.span`, 'id', `('[1.0,2)'), ('empty')`, `set id = '[1.00,2)' where id = '[1,2)'`],
  ['domain', `id ${S}.shorter`, 'id', `('a  '), ('b')`, ''],
  [
    'document',
    'id jsonb',
    'id',
    `('{"a": 1.0}'), ('null'), ('"x"')`,
    `set id = '{"a": 1.00}' where id = '{"a": 1}'`,
  ],
  [
    'many',
    `c public.citext, id numeric, b text, e ${S}.colour, f ${S}.pair, t timestamptz, g char(4)`,
    't, g, id, f, c, e, b',
    `('x,', 1.0, '"', 'a,b', '(1.0,)', 'infinity', 'a'), ('', 2, 'NULL', 'é', '(,"\\\\")', '1000-01-01 BC', '')`,
    `set id = 1.00, c = 'X,' where id = 1`,
  ],
]
