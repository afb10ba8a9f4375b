// What it takes to learn the catalogs of a side: of a small database and of a large one, at first and unchanged.
import { Client } from 'pg'
import { loadStatements, type CatalogQuery, type Statements } from '../../src/reads/statements.js'
import { againstItself } from '../against-itself.js'

const OBJECTS = 5_000
const FIRST = 5
const AGAIN = 11

const TABLES =
  'create table orders (id int primary key, status text); create table items (order_id int, price int, quantity int)'
const objects = (from: number, to: number): string => `
do $$ begin
  for n in ${from}..${to} loop
    execute format('create table t%s (id int primary key, a int, b text)', n);
    execute format('create function f%s(int) returns int language sql stable as ''select $1 + count(*)::int from t%s where id = $1 and b <> now()::text''', n, n);
    if n % 10 = 0 then execute format('create view v%s as select f%s(id) from t%s', n, n, n); end if;
  end loop;
end $$`

/** Made in parts: one transaction would hold more locks than a server has. */
const PART = 500

export async function learning(side: 'old' | 'new', url: string, quick: boolean) {
  const client = new Client(url)
  await client.connect()
  const query: CatalogQuery = (text) => client.query(text)
  const learnt = async (statements: Statements): Promise<number> => {
    const before = performance.now()
    await statements.learn(side, query)
    return performance.now() - before
  }
  const several = async (one: () => Promise<number>, times: number): Promise<number[]> => {
    const all: number[] = []
    for (let turn = 0; turn < times; turn++) all.push(await one())
    return all
  }
  const first = (times: number) => several(async () => learnt(await loadStatements()), times)
  const outcomes = async (what: string, times: number) => {
    const statements = await loadStatements()
    const all = [await learnt(statements), ...(await first(times - 1))]
    const again = () => several(() => learnt(statements), AGAIN)
    return {
      statements,
      outcomes: [
        againstItself(`${side}, ${what}: at first`, 'ms', all, await first(times)),
        againstItself(`${side}, ${what}: unchanged`, 'ms', await again(), await again()),
      ],
    }
  }
  try {
    const small = await outcomes('an empty database', quick ? 2 : FIRST)
    const count = quick ? OBJECTS / 10 : OBJECTS
    await client.query(TABLES)
    for (let from = 1; from <= count; from += PART) await client.query(objects(from, from + PART - 1))
    await client.query('vacuum analyze')
    const big = await outcomes(`${count.toLocaleString('en')} tables and functions`, quick ? 1 : FIRST)
    return { statements: big.statements, outcomes: [...small.outcomes, ...big.outcomes] }
  } finally {
    await client.end()
  }
}
