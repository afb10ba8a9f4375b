// What capture costs whoever writes: single rows from many clients, and the server's time for statements of 100 rows.
import pg from 'pg'
import { installCapture } from '../../src/dual-write/capture.js'
import type { Pair } from '../../test/support/servers.js'
import { CORES, type PartOnPair, type Tell } from '../on-pairs.js'
import { ratio } from '../outcome.js'
import { pairedBy } from '../paired.js'
import { databases, forgetAll, migrationOn, SETTINGS } from './ground.js'

const CLIENTS = 16
const ROWS_OF_A_STATEMENT = 100
const KINDS = ['insert', 'update', 'delete', 'all'] as const
type Cost = Readonly<Record<(typeof KINDS)[number], number>>

const TABLES = ['plain', 'again', 'captured'] as const
type Table = (typeof TABLES)[number]

const MOST_SINGLE = 1.4
const MOST_A_ROW = 2.5

const sizes = (quick: boolean) => ({
  single: { quads: quick ? 4 : 8, rows: quick ? 500 : 3_000 },
  many: { quads: quick ? 5 : 20, statements: quick ? 50 : 200 },
})

const NOTES = [
  'The first captured write of a new connection is not in these figures: it loads PL/pgSQL and plans.',
]

export const capture: PartOnPair = {
  title: 'Dual-write: what does capture cost whoever writes?',
  how: (quick) => {
    const { single, many } = sizes(quick)
    return [
      'The same statements on a table without capture and on one with it, in paired slices;',
      'a table without against another one without is the A/A.',
      `Single rows: ${CLIENTS} clients, each statement a transaction of its own, the time until all have answered,`,
      `${single.quads} quads with ${single.rows.toLocaleString('en')} rows a slice.`,
      `Statements of ${ROWS_OF_A_STATEMENT} rows: one after the other in one transaction, by the server's own clock,`,
      `${many.quads} quads with ${many.statements} statements a slice. No relay is at work.`,
      `The server, which has \`fsync\` on, and the process of the clients share ${CORES}.`,
    ]
  },
  picture: { kind: 'bars', title: 'With capture, for each one without', unit: '×' },
  settings: SETTINGS,
  run: measure,
}

async function measure(pair: Pair, quick: boolean, tell: Tell): Promise<readonly string[]> {
  const size = sizes(quick)
  const urls = await databases(pair, 'bench_capture', TABLES.map(tableAndFunction).join(';'))
  const m = await migrationOn('bench_capture', urls, ['public.captured'])
  const clients = Array.from({ length: CLIENTS }, () => new pg.Client({ connectionString: urls.old }))
  try {
    await installCapture(m, 'old', performance.now() + 10_000)
    await Promise.all(clients.map((client) => client.connect()))
    const { run } = m.control.old
    const tidied = async (slice: () => Promise<Cost>, table: Table): Promise<Cost> => {
      const cost = await slice()
      await run(forgetAll(m))
      await run(`vacuum public.${table}`)
      return cost
    }
    const single = (table: Table) => () => tidied(() => singleRows(clients, table, size.single.rows), table)
    const many = (table: Table) => () => tidied(() => statements(run, table, size.many.statements), table)
    for (const [what, slice, quads, most] of [
      [`single-row %s, autocommit, ${CLIENTS} clients`, single, size.single.quads, MOST_SINGLE],
      [`server's time a row, %s of ${ROWS_OF_A_STATEMENT} rows`, many, size.many.quads, MOST_A_ROW],
    ] as const) {
      const same = await pairedBy(KINDS, quads, slice('plain'), slice('again'))
      const added = await pairedBy(KINDS, quads, slice('plain'), slice('captured'))
      for (const kind of KINDS)
        tell(
          ratio(
            `captured ${what.replace('%s', kind === 'all' ? 'all three' : kind)}`,
            added[kind],
            same[kind],
            {
              most,
              remark: `${added[kind].medianA.toFixed(1)} µs without`,
            },
          ),
        )
    }
    return NOTES
  } finally {
    await Promise.allSettled(clients.map((client) => client.end()))
    await m.close()
  }
}

/** Microseconds a row, until all have answered. */
async function singleRows(clients: readonly pg.Client[], table: Table, rows: number): Promise<Cost> {
  // After the tidying each session plans the statements of the functions anew. In life that comes once a session and once a
  // vacuum of the record, so that it would count here a hundred times too much.
  await Promise.all(
    clients.map((client, nr) => writeOnce((text, values) => client.query(text, [...values]), table, -1 - nr)),
  )
  const each = async (text: string): Promise<number> => {
    let left = rows
    const began = performance.now()
    await Promise.all(
      clients.map(async (client) => {
        while (left > 0) await client.query(text, [left--])
      }),
    )
    return ((performance.now() - began) * 1_000) / rows
  }
  const texts = textsOf(table)
  return together({
    insert: await each(texts.insert),
    update: await each(texts.update),
    delete: await each(texts.delete),
  })
}

const textsOf = (table: string) => ({
  insert: `insert into ${table} (id, n, note) values ($1, 0, 'this is the note of an item')`,
  update: `update ${table} set n = n + 1 where id = $1`,
  delete: `delete from ${table} where id = $1`,
})

async function writeOnce(
  run: (text: string, values: readonly unknown[]) => Promise<unknown>,
  table: string,
  id: number,
): Promise<void> {
  for (const text of Object.values(textsOf(table))) await run(text, [id])
}

type Run = (text: string, values: readonly unknown[]) => Promise<Record<string, unknown>[]>

/** Microseconds a row, told by the server: what a client and the network take is not in them. */
async function statements(run: Run, table: Table, count: number): Promise<Cost> {
  // Plans them, see above.
  await writeOnce(run, `public.${table}`, -1)
  const [row] = await run(`select * from public.time_${table}($1)`, [count])
  return together({
    insert: Number(row?.['inserting']),
    update: Number(row?.['updating']),
    delete: Number(row?.['deleting']),
  })
}

const together = (cost: Omit<Cost, 'all'>): Cost => ({
  ...cost,
  all: cost.insert + cost.update + cost.delete,
})

const tableAndFunction = (table: Table): string => `
  create table ${table} (id int primary key, n int not null, note text not null);
  create function time_${table}(statements int, out inserting float8, out updating float8, out deleting float8)
  language plpgsql set search_path = public as $$
  declare
    began timestamptz := clock_timestamp();
    rows_all int := statements * ${ROWS_OF_A_STATEMENT};
  begin
    for i in 0 .. statements - 1 loop
      insert into ${table} select i * ${ROWS_OF_A_STATEMENT} + g, g, 'this is the note of an item'
        from generate_series(1, ${ROWS_OF_A_STATEMENT}) g;
    end loop;
    inserting := extract(epoch from clock_timestamp() - began) * 1e6 / rows_all;
    began := clock_timestamp();
    for i in 0 .. statements - 1 loop
      update ${table} set n = n + 1
       where id between i * ${ROWS_OF_A_STATEMENT} + 1 and (i + 1) * ${ROWS_OF_A_STATEMENT};
    end loop;
    updating := extract(epoch from clock_timestamp() - began) * 1e6 / rows_all;
    began := clock_timestamp();
    for i in 0 .. statements - 1 loop
      delete from ${table}
       where id between i * ${ROWS_OF_A_STATEMENT} + 1 and (i + 1) * ${ROWS_OF_A_STATEMENT};
    end loop;
    deleting := extract(epoch from clock_timestamp() - began) * 1e6 / rows_all;
  end $$`
