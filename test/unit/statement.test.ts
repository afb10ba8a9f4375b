// Shows what a text alone tells, that every part of a tree is known or refused, and what is remembered.
import { beforeAll, describe, expect, it } from 'vitest'
import { analyse } from '../../src/reads/analyse.js'
import { KnownStatements } from '../../src/reads/known-statements.js'
import { NODE_FIELDS } from '../../src/reads/node-fields.js'
import { UNKNOWN } from '../../src/reads/statement.js'
import { loadStatements, statementsBy, type Parser, type Statements } from '../../src/reads/statements.js'
import * as table from './statements-table.js'

let parser: Parser
let statements: Statements

beforeAll(async () => {
  statements = await loadStatements()
  parser = await import('libpg-query')
})

const READS = [...table.STEADY, ...table.MOVING, ...table.CHOICES, ...table.TOTAL, ...table.NEWER]

describe('the verdict of a text', () => {
  it.each([
    ['read', [...READS, ...table.DISGUISED]],
    ['write', table.WRITES.filter((text) => !text.includes("b\\'"))],
    ['session', table.SESSION],
    ['transaction', table.TRANSACTION],
  ] as const)('is %s', (verdict, texts) => {
    expect(texts.filter((text) => statements.of(text).verdict !== verdict)).toEqual([])
  })

  it('is that of no read on a side of which nothing was learnt', () => {
    expect(
      READS.filter((text) => statements.isRead(text, 'old') || statements.isSteady(text, 'new')),
    ).toEqual([])
  })

  it.each([
    ['select 1', true],
    ['select * from t for update', true],
    ['with x as (select 1) insert into t select * from x', true],
    ['merge into t using u on true when matched then delete', true],
    ['values (1)', true],
    ['explain select 1', false],
    ['select 1; select 2', false],
    ['call f()', false],
    ['copy t from stdin', false],
    ['begin', false],
    ['', false],
    ['select', true],
    ['selec 1', false],
  ])('%j is one plain statement: %j', (text, plain) => {
    expect(statements.of(text).plain).toBe(plain)
  })
})

describe('what a text names', () => {
  it('is folded and unescaped as by the server, with the schema where one is given', () => {
    const { functions, relations, types, operators, attributes } = statements.of(
      'select Lower("B"), S."F"(x.Y), (z).w, cast(1 as S.Ty), 1 operator(s.+) 2 from Db.Sch.Tab, U&"d\\0061t" where a = $1',
    )
    expect(functions).toEqual([{ name: 'lower' }, { schema: 's', name: 'F' }])
    expect(relations).toEqual([{ schema: 'sch', name: 'tab' }, { name: 'dat' }])
    expect(types).toEqual([{ schema: 's', name: 'ty' }])
    expect(operators).toEqual([{ schema: 's', name: '+' }, { name: '=' }])
    expect(attributes).toEqual(['y', 'w'])
  })

  it.each([
    ['with x as (select 1) select * from x', []],
    ['with x as (select * from x) select * from x', ['x']],
    ['with recursive x as (select * from x) select * from x', []],
    ['with x as (select * from y), y as (select 1) select * from x, y', ['y']],
    ['with recursive x as (select * from y), y as (select 1) select * from x', []],
    ['select * from x, (with x as (select 1) select * from x) z', ['x']],
    ['with x as (select 1) select * from s.x', ['x']],
    ['select (with x as (select 1) select count(*) from x) from x', ['x']],
    ['with x as (select 1) select * from (select * from x) y where exists (select from x)', []],
  ])('%s leaves out its own queries where they can be seen', (text, names) => {
    expect(statements.of(text).relations.map(({ name }) => name)).toEqual(names)
  })

  it.each([
    ['select * from t order by id', ['id']],
    ['select * from t x order by x.id, a desc', ['id', 'a']],
    ['select id as a, a as id from t order by id', undefined],
    ['select lower(b) as id from t order by id', undefined],
    ['select * from t order by id + 1', undefined],
    ['select * from t order by 1', undefined],
    ['select id from t group by id order by id', undefined],
    ['select * from t, u order by id', undefined],
    ['select * from (select * from t limit 3) x order by id', undefined],
    ['select id from t union select id from t order by id', undefined],
    ['select * from t', undefined],
    ['select * from t order by lower(a), id', ['id']],
    ['select * from t where id = $1', ['id']],
    ['select * from t where t.id = 5 and (a = $1 and $2 = b) and c > 1 order by d', ['id', 'a', 'b', 'd']],
    ['select * from t where id = $1 or a = 2', undefined],
    ['select * from t where not id = $1', undefined],
    ['select * from t where id = $1::float8', undefined],
    ['select * from t where id = a', undefined],
    ['select * from t where id operator(s.=) $1', undefined],
    ['select * from t where id in ($1)', undefined],
    ['select * from t where id = any($1)', undefined],
    ['select * from t left join u on t.id = u.id where t.id = $1', undefined],
  ])('%s is ordered by %j', (text, keys) => {
    expect(statements.of(text).orderKeys).toEqual(keys)
  })

  it.each([
    ['select * from t limit 10', { limit: 10, offset: 0 }],
    ['select * from t limit $2 offset $1', { limit: { parameter: 2 }, offset: { parameter: 1 } }],
    ['select * from t fetch first row only', { limit: 1, offset: 0 }],
    ['select * from t limit 0 offset 0', { limit: 0, offset: 0 }],
    ['select * from t limit all offset 3', { limit: Infinity, offset: 3 }],
    ['select * from t limit 1 + 1', { limit: undefined, offset: 0 }],
    ['select * from t limit (select 3)', { limit: undefined, offset: 0 }],
    ['select * from t', undefined],
    ['select array_agg(a) from t limit 10', undefined],
    ['select * from (select * from t limit 3) x limit 5', undefined],
  ])('%s has the limit %j', (text, limit) => {
    expect(statements.of(text).ownLimit).toEqual(limit)
  })
})

describe('a tree', () => {
  /** Every kind of node, and every field, that the texts of the table have in their trees. */
  function kinds(): ReadonlySet<string> {
    const found = new Set<string>()
    const look = (value: unknown): void => {
      if (typeof value !== 'object' || value === null) return
      for (const [key, inner] of Object.entries(value)) {
        found.add(key)
        look(inner)
      }
    }
    for (const text of READS) look(parser.parseSync(text))
    return found
  }

  it('is held to its kinds by a text of the table for each of them', () => {
    // They stand in fields of one kind, where the parser does not name it.
    const unnamed = new Set(
      Object.values(NODE_FIELDS).flatMap((fields) =>
        Object.values(fields).filter((rule) => rule in NODE_FIELDS),
      ),
    )
    const found = kinds()
    expect(Object.keys(NODE_FIELDS).filter((kind) => !found.has(kind) && !unnamed.has(kind))).toEqual([])
  })

  const select = (more: object) => ({ stmts: [{ stmt: { SelectStmt: { op: 'SETOP_NONE', ...more } } }] })

  it.each([
    ['a kind that is new', { whereClause: { NewNode: {} } }],
    ['a field that is new', { newClause: true }],
    ['a node with no kind', { whereClause: { one: {}, other: {} } }],
    ['a field that is new deep down', { targetList: [{ ResTarget: { val: { A_Star: { writes: true } } } }] }],
    [
      'a name that is none',
      { targetList: [{ ResTarget: { val: { FuncCall: { funcname: [{ A_Star: {} }] } } } }] },
    ],
    ['a relation without a name', { fromClause: [{ RangeVar: {} }] }],
    ['a kind out of an object', { whereClause: { constructor: {} } }],
  ])('with %s is no read', (_, more) => {
    expect(analyse(select({})).verdict).toBe('read')
    expect(analyse(select(more)).verdict).toBe('write')
  })

  it.each([undefined, null, 1, {}, { stmts: {} }, { stmts: [{}] }, { stmts: [{ stmt: { a: 1, b: 2 } }] }])(
    'that is %j is a write',
    (parsed) => expect(analyse(parsed)).toEqual(UNKNOWN),
  )
})

describe('a text that is no good', () => {
  it.each([
    "select 'secret",
    'select "secret',
    'select array_agg(id order by id)$1::int',
    'select 1 /* secret',
    '',
  ])('%j has no fingerprint, and nothing of it is given away', (text) => {
    expect(statements.fingerprint(text)).toBeUndefined()
    expect(statements.normalised(text)).toBeUndefined()
  })

  it('is no read for its length alone, and still a plain statement', () => {
    const text = `select 1 where 1 in (${'1,'.repeat(40_000)}1)`
    expect(statements.isRead(text, 'old')).toBe(false)
    expect(statements.of(text).plain).toBe(true)
    expect(statements.of(`select '${'x'.repeat(600_000)}'`).plain).toBe(false)
  })
})

describe('constants', () => {
  it('make no other fingerprint and are not in the normalised text', () => {
    const [one, other] = [
      "select * from t where a = 1 and b = 'x'",
      "select * from t where a = 22 and b = 'secret'",
    ]
    expect(statements.fingerprint(one)).toBe(statements.fingerprint(other))
    expect(statements.fingerprint(one)).not.toBe(statements.fingerprint('select * from t where a = 1'))
    expect(statements.normalised(other)).toBe('select * from t where a = $1 and b = $2')
  })

  it('are not told without the parser', () => {
    const worded = statementsBy(undefined)
    expect(worded.fingerprint('select 1')).toBeUndefined()
    expect(worded.normalised('select 1')).toBeUndefined()
    expect(worded.of('select 1')).toMatchObject({ verdict: 'read', plain: false })
  })
})

describe('what is remembered', () => {
  it('is asked for once a text, shared by all that name the same, and of many texts the latest', () => {
    const asked: string[] = []
    const known = new KnownStatements((text) => {
      asked.push(text)
      return { ...UNKNOWN, verdict: 'read' }
    })
    const [one, two] = [known.of('select 1'), known.of('select 2')]
    expect(known.of('select 1')).toBe(one)
    expect(two).toBe(one)
    expect(asked).toEqual(['select 1', 'select 2'])
    for (let count = 0; count < 20_000; count++) known.of(`select ${count}`)
    known.of('select 19999')
    expect(asked.length).toBe(20_000)
    known.of('select 3')
    expect(asked.length).toBe(20_001)
    const long = `select '${'x'.repeat(100_000)}'`
    known.of(long)
    known.of(long)
    expect(asked.length).toBe(20_003)
  })
})
