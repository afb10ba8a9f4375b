// What two real servers of different majors answer, value by value: equal where Postgres says so, and different elsewhere.
import { Client } from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ask } from '../../src/shadow/ask.js'
import type { Answer, RawValue } from '../../src/shadow/answer.js'
import { BUILT_IN, canonicalValue } from '../../src/shadow/canonical.js'
import { compareAnswers, type Comparison } from '../../src/shadow/compare.js'
import { freshDatabases, type FreshDatabases } from '../support/databases.js'
import { PINNED_OUTPUT } from '../support/pinned-output.js'
import { seededRandom } from '../support/seeded-random.js'
import { GENERATED } from './shadow-random.js'
import { VALUES } from './shadow-values.js'

const LIMITS = { maxBytes: 8 * 1024 * 1024, timeoutMillis: 10_000 }

let databases: FreshDatabases
let old: Client
let next: Client

async function session(connectionString: string): Promise<Client> {
  const client = new Client({ connectionString })
  await client.connect()
  await client.query(PINNED_OUTPUT)
  return client
}

async function answerOf(client: Client, text: string, values: readonly unknown[] = []): Promise<Answer> {
  const asked = await ask(client, text, values, LIMITS)
  if (asked.kind !== 'answer') throw new Error(`${text}: ${JSON.stringify(asked)}`)
  return asked.answer
}

async function compare(text: string, ordered = false): Promise<Comparison> {
  const answers = [await answerOf(old, text), await answerOf(next, text)] as const
  return compareAnswers(...answers, { ordered, floatTolerance: 0 })
}

const literal = (value: string): string => `'${value.replaceAll("'", "''")}'`
const columnOf = (index: number): string => `v${index}`

const SETUP = [
  `create type colour as enum ('red', 'green', 'blue')`,
  `create type pair as (a numeric, b text)`,
  `create domain price as numeric`,
  `create table everything (id int primary key, ${VALUES.map(([type], i) => `${columnOf(i)} ${type}`).join(', ')})`,
  ...[1, 2, 3].map(
    (id) =>
      `insert into everything values (${id}, ${VALUES.map((row) => literal(row[id] ?? '')).join(', ')})`,
  ),
  'insert into everything (id) values (4)',
].join('; ')

beforeAll(async () => {
  databases = await freshDatabases()
  ;[old, next] = [await session(databases.old), await session(databases.new)]
  // So that the new server gives its own types other numbers.
  await next.query(`create type unused as enum ('a')`)
  await Promise.all([old.query(SETUP), next.query(SETUP)])
})

afterAll(async () => {
  await Promise.all([old.end(), next.end()])
  await databases.drop()
})

describe('a table of every type', () => {
  it('is equal on both servers, whole and in order', async () => {
    expect(await compare('select * from everything order by id', true)).toEqual({ kind: 'equal' })
    expect(await compare('select * from everything order by id desc')).toEqual({ kind: 'equal' })
  })

  it.each(VALUES.map((row, i) => [row[0], row[4] ?? '', columnOf(i)] as const))(
    'with another %s, %s, or with NULL is not',
    async (_, changed, column) => {
      await next.query('begin')
      try {
        await next.query(`update everything set ${column} = ${literal(changed)} where id = 1`)
        const found = await compare(`select id, ${column} from everything`)
        expect(found).toMatchObject({ kind: 'rows', old: { count: 1 }, new: { count: 1 } })
        await next.query(`update everything set ${column} = null where id = 2`)
        expect(await compare(`select id, ${column} from everything`)).toMatchObject({ old: { count: 2 } })
      } finally {
        await next.query('rollback')
      }
    },
  )

  it('tells rows without a look at where they lie and who wrote them', async () => {
    await next.query('update everything set id = id')
    expect(await compare('select xmin, cmin, ctid, tableoid, id from everything')).toEqual({ kind: 'equal' })
    expect(await compare('select e.* from (select ctid, id from everything) e')).toEqual({ kind: 'equal' })
  })
})

describe('under another time zone', () => {
  const MOMENTS = `select v, array[v], tstzrange(v, null) from (values
    ('2024-03-31 01:59:59.5+00'::timestamptz), ('1890-01-01 00:00:00+00'), ('0044-03-15 00:00:00+00 BC'),
    ('12024-07-01 00:00:00+00'), ('infinity')) t (v)`

  it.each(['Asia/Kolkata', 'America/New_York', 'Europe/Amsterdam'])(
    'of %s an instant is the same',
    async (zone) => {
      await next.query(`set timezone = '${zone}'`)
      try {
        expect(await compare(MOMENTS, true)).toEqual({ kind: 'equal' })
        expect((await compare(`select '2024-01-01 12:00:00'::timestamptz`)).kind).toBe('rows')
        expect((await compare(`select date_trunc('day', '2024-01-01 12:00:00+00'::timestamptz)`)).kind).toBe(
          'rows',
        )
      } finally {
        await next.query('reset timezone')
      }
    },
  )
})

it('the settings that change the form alone are pinned, and the order of day and month is kept', async () => {
  const client = new Client({
    connectionString: databases.new,
    options: `-c datestyle=sql,dmy -c intervalstyle=iso_8601 -c bytea_output=escape -c extra_float_digits=-5`,
  })
  await client.connect()
  try {
    await client.query(PINNED_OUTPUT)
    const text = `select now()::date - 1 < now(), '1 day'::interval, '\\x00'::bytea, 0.1::float8 + 0.2, '2024-01-02'::date`
    const answers = [await answerOf(old, text), await answerOf(client, text)] as const
    expect(await compareAnswers(...answers, { ordered: true, floatTolerance: 0 })).toEqual({ kind: 'equal' })
    expect((await answerOf(client, `select '01/02/2024'::date`)).rows).toEqual([['2024-02-01']])
  } finally {
    await client.end()
  }
})

it('the types that have more than one form are those of both servers', async () => {
  const text = 'select typname, oid, typarray, typdelim from pg_type where typname = any($1) order by 1'
  const wanted = Object.entries(BUILT_IN)
    .map(([name, type]) => [
      name,
      String(type.oid),
      String(type.array),
      'delimiter' in type ? type.delimiter : ',',
    ])
    .toSorted(([one = ''], [other = '']) => (one < other ? -1 : 1))
  for (const client of [old, next])
    expect((await answerOf(client, text, [Object.keys(BUILT_IN)])).rows).toEqual(wanted)
})

const SEED = 20_241_122
const PAIRS = 400

describe(`by seed ${SEED}, the canonical form says what Postgres says`, () => {
  beforeAll(async () => void (await next.query(`set timezone = 'America/New_York'`)))
  afterAll(async () => void (await next.query('reset timezone')))

  it.each(GENERATED)('of two random values of $type', async ({ type, make, by = type }) => {
    const random = seededRandom(SEED)
    const pairs = Array.from({ length: PAIRS }, () => [make(random), make(random)] as const)
    const text = `select a::${type}, b::${type}, a::${type}::${by} is not distinct from b::${type}::${by}
      from unnest($1::text[], $2::text[]) t (a, b)`
    const values = [pairs.map(([a]) => a), pairs.map(([, b]) => b)]
    const { rows = [], fields } = await answerOf(old, text, values)
    const { rows: others = [] } = await answerOf(next, text, values)
    const form = (raw: RawValue | undefined): string => canonicalValue(raw ?? '', fields[0]?.type ?? 0)
    const wrong = rows.filter(([a, b, same], i) => {
      const [c, d] = others[i] ?? []
      const is = [form(a) === form(b), form(a) === form(d), form(c) === form(b), form(c) === form(d)]
      return is.some((one) => one !== (same === 't')) || form(a) !== form(c)
    })
    expect(wrong).toEqual([])
    const equal = rows.filter(([, , same]) => same === 't').length
    expect(equal).toBeGreaterThan(5)
    expect(equal).toBeLessThan(PAIRS - 5)
  })
})
