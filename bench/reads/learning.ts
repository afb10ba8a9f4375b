// What it takes to learn the catalogs of a side: of a small database and of a large one, at first and unchanged.
import { Client } from 'pg'
import { Bench } from 'tinybench'
import { loadStatements, type CatalogQuery } from '../../src/reads/statements.js'
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
  let statements = await loadStatements()
  const learn = () => statements.learn(side, query)
  const first = (times: number) =>
    several(learn, times, async () => {
      statements = await loadStatements()
    })
  const again = () => several(learn, AGAIN)
  const outcomes = async (what: string, times: number) => {
    const all = [await first(times), await first(times)] as const
    return {
      statements,
      outcomes: [
        againstItself(`${side}, ${what}: at first`, 'ms', ...all),
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

/** Milliseconds of each of so many calls; `before` each of them is not counted. */
async function several(
  work: () => Promise<unknown>,
  iterations: number,
  before?: () => Promise<void>,
): Promise<readonly number[]> {
  // Not a call more than is wanted: at first is only once.
  const bench = new Bench({ time: 0, iterations, warmup: false, retainSamples: true, throws: true })
  bench.add('work', work, before && { beforeEach: before })
  const [task] = await bench.run()
  const result = task?.result
  if (!result || !('latency' in result) || !result.latency.samples)
    throw new Error('the catalogs were not learnt')
  return result.latency.samples
}
