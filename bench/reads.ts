// What it costs to know what a text is: seen before or for the first time, and to learn a side's catalogs.
import { Client } from 'pg'
import { loadStatements, statementsBy, type CatalogQuery, type Statements } from '../src/reads/statements.js'
import { startPair } from '../test/support/servers.js'
import { quantile } from './paired.js'

const BATCH = 1_000
const TEXTS = 10_000
const OBJECTS = 5_000
const LENGTHS = [50, 500, 5_000, 30_000] as const
const QUERY =
  'select o.id, o.status, sum(i.price * i.quantity) from orders o join items i on i.order_id = o.id'

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

const round = (value: number): number => Math.round(value * 100) / 100

/** Microseconds of CPU for each of many calls: what others do on the machine meanwhile is not counted. */
function cpuMicros(calls: number, work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / calls
}

/** Built anew from its parts, and flat: a text that comes from a template each time is no string that was seen before. */
const fresh = (text: string): string => Buffer.from(text).toString()

function ofLength(length: number, number: number): string {
  const head = `${QUERY} where o.id in (${number}`
  const more = Math.max(0, Math.ceil((length - head.length) / 7))
  return `${head}${', 12345'.repeat(more)}) group by o.id, o.status`
}

function seenBefore(statements: Statements, rounds: number) {
  const text = `${QUERY} where o.status = $1 group by o.id, o.status order by o.id limit 20`
  if (!statements.isRead(text, 'old')) throw new Error('the statement of this benchmark is no read')
  const same: number[] = []
  const equal: number[] = []
  let reads = 0
  for (let turn = -rounds / 5; turn < rounds; turn++) {
    const one = cpuMicros(BATCH * 100, () => {
      for (let call = 0; call < BATCH * 100; call++) if (statements.isRead(text, 'old')) reads++
    })
    const copies = Array.from({ length: BATCH * 10 }, () => fresh(text))
    const other = cpuMicros(copies.length, () => {
      for (const copy of copies) if (statements.isRead(copy, 'old')) reads++
    })
    if (turn >= 0) {
      same.push(one * 1_000)
      equal.push(other * 1_000)
    }
  }
  if (reads % BATCH !== 0) throw new Error('a text that was a read is one no more')
  const figures = {
    sameStringNanos: round(quantile(same, 0.5)),
    equalStringNanos: round(quantile(equal, 0.5)),
  }
  console.log(
    `  seen before, ${text.length} letters`.padEnd(46),
    `${figures.sameStringNanos} ns the same string`,
  )
  console.log(''.padEnd(46), `${figures.equalStringNanos} ns an equal one`)
  return figures
}

function firstSight(name: string, statements: Statements, texts: number) {
  const figures = LENGTHS.map((length) => {
    const count = Math.max(20, Math.ceil((texts * 50) / length))
    const fill = (from: number) =>
      Array.from({ length: count }, (_, number) => ofLength(length, from + number))
    for (const text of fill(0)) statements.isRead(text, 'old')
    const unseen = fill(count)
    const micros = round(
      cpuMicros(count, () => {
        for (const text of unseen) statements.isRead(text, 'old')
      }),
    )
    console.log(`  first sight, ${name}, ${unseen[0]?.length} letters`.padEnd(46), `${micros} µs`)
    return [length, micros] as const
  })
  return Object.fromEntries(figures)
}

/** The heap before and after, for texts that differ as those of an application do: some shapes, many constants. */
function memory(parsed: boolean, make: () => Statements) {
  const heap = (): number => {
    globalThis.gc?.()
    return process.memoryUsage().heapUsed
  }
  const before = heap()
  const statements = make()
  const text = (number: number): string =>
    fresh(
      `${QUERY} where o.status = 's${number}' and i.t${number % 500} = $1 group by o.id, o.status having count(*) > ${number}`,
    )
  for (let number = 0; number < TEXTS; number++) statements.of(text(number))
  const megabytes = round((heap() - before) / 2 ** 20)
  // Kept until here, or there would be nothing to weigh.
  statements.of(text(0))
  console.log(`  ${TEXTS} texts, ${parsed ? 'parsed' : 'by words'}`.padEnd(46), `${megabytes} MB`)
  return megabytes
}

async function learning(side: 'old' | 'new', url: string, quick: boolean) {
  const client = new Client(url)
  await client.connect()
  const query: CatalogQuery = (text) => client.query(text)
  const timed = async (work: () => Promise<unknown>): Promise<number> => {
    const before = performance.now()
    await work()
    return round(performance.now() - before)
  }
  const again = async (statements: Statements): Promise<number> => {
    const all: number[] = []
    for (let turn = 0; turn < 11; turn++) all.push(await timed(() => statements.learn(side, query)))
    return quantile(all, 0.5)
  }
  try {
    const small = await loadStatements()
    const figures = { empty: await timed(() => small.learn(side, query)), emptyAgain: await again(small) }
    const count = quick ? OBJECTS / 10 : OBJECTS
    await client.query(TABLES)
    for (let from = 1; from <= count; from += PART) await client.query(objects(from, from + PART - 1))
    await client.query('vacuum analyze')
    const big = await loadStatements()
    const more = { big: await timed(() => big.learn(side, query)), bigAgain: await again(big) }
    console.log(
      `  learn ${side}, an empty database`.padEnd(46),
      `${figures.empty} ms, unchanged ${figures.emptyAgain} ms`,
    )
    console.log(
      `  learn ${side}, ${count} tables and functions`.padEnd(46),
      `${more.big} ms, unchanged ${more.bigAgain} ms`,
    )
    return { statements: big, figures: { ...figures, ...more } }
  } finally {
    await client.end()
  }
}

export async function reads(quick: boolean) {
  const pair = await startPair()
  try {
    console.log('what a text is (CPU time), and to learn a side (wall time)')
    const megabytes = {
      parsed: memory(true, await parserOrNone()),
      byWords: memory(false, () => statementsBy(undefined)),
    }
    const newer = await learning('new', pair.new.url(), quick)
    const older = await learning('old', pair.old.url(), quick)
    const { statements } = older
    const worded = statementsBy(undefined)
    const client = new Client(pair.old.url())
    await client.connect()
    await worded.learn('old', (text) => client.query(text))
    await client.end()
    return {
      ...seenBefore(statements, quick ? 10 : 40),
      firstSightMicros: firstSight('parsed', statements, quick ? 500 : 5_000),
      firstSightByWordsMicros: firstSight('by words', worded, quick ? 500 : 5_000),
      megabytesOfTexts: megabytes,
      learnMillis: { old: older.figures, new: newer.figures },
    }
  } finally {
    await pair.destroy()
  }
}

async function parserOrNone(): Promise<() => Statements> {
  const parser = await import('libpg-query')
  await parser.loadModule()
  parser.parseSync('select 1')
  return () => statementsBy(parser)
}
