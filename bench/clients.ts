// What a query takes through each library on the facade at rest, against the same library on its stock pool.
import pg from 'pg'
import { createCutover, memorySource } from '../src/index.js'
import { startPair } from '../test/support/servers.js'
import { MAX, NOTES, type Contender } from './clients/contender.js'
import { LIBRARIES, type Library } from './clients/libraries.js'
import { pairedBy, type Paired } from './paired.js'

const CALLERS = [1, 64] as const
const KINDS = ['micros', 'cpuMicros'] as const
type Cost = Readonly<Record<(typeof KINDS)[number], number>>

export interface Sizes {
  readonly quads: number
  /** Queries of a slice with one caller, and with many. */
  readonly alone: number
  readonly together: number
}

const FULL: Sizes = { quads: 30, alone: 400, together: 3_000 }
const QUICK: Sizes = { quads: 5, alone: 100, together: 800 }

export async function clients(quick: boolean) {
  const pair = await startPair()
  try {
    const urls = { old: pair.old.url(), new: pair.new.url() }
    return await measureClients(urls, quick ? QUICK : FULL, console.log)
  } finally {
    await pair.destroy()
  }
}

export async function measureClients(
  urls: { readonly old: string; readonly new: string },
  sizes: Sizes,
  print: (line: string) => void,
) {
  await prepare(urls.old)
  const cutover = createCutover({
    name: 'bench',
    old: { connectionString: urls.old, max: MAX },
    new: { connectionString: urls.new, max: MAX },
    source: memorySource('old'),
  })
  try {
    await cutover.ready()
    print(`${sizes.quads} quads A B B A, ${MAX} connections each; time a query against the stock pool = 1
(middle half), the stock pool against itself, and the same of the CPU time of this process alone`)
    const figures: Record<string, Awaited<ReturnType<typeof measure>>> = {}
    for (const library of LIBRARIES) {
      const open = [
        await library.stock(urls.old),
        await library.stock(urls.old),
        await library.other(cutover, urls.old),
      ] as const
      try {
        figures[library.name] = await measure(library, open, sizes, print)
      } finally {
        for (const contender of open) await contender.close()
      }
    }
    return figures
  } finally {
    await cutover.end()
  }
}

async function prepare(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(`create table note (id int primary key, text text not null)`)
    await client.query(`insert into note select id, 'note ' || id from generate_series(1, ${NOTES}) id`)
    await client.query('analyze note')
  } finally {
    await client.end()
  }
}

async function measure(
  { name }: Library,
  [stock, again, other]: readonly [Contender, Contender, Contender],
  { quads, alone, together }: Sizes,
  print: (line: string) => void,
) {
  const measured: Record<string, object> = {}
  for (const callers of CALLERS) {
    const slice = (contender: Contender) => () => ask(contender, callers, callers === 1 ? alone : together)
    const same = await pairedBy(KINDS, quads, slice(stock), slice(again))
    const added = await pairedBy(KINDS, quads, slice(stock), slice(other))
    const figures = {
      ratio: ratioOf(added.micros),
      middleHalf: middleHalf(added.micros),
      sameRatio: ratioOf(same.micros),
      cpuRatio: ratioOf(added.cpuMicros),
      cpuMiddleHalf: middleHalf(added.cpuMicros),
      cpuSameRatio: ratioOf(same.cpuMicros),
      stockMicros: rounded(added.micros.medianA, 10),
      stockCpuMicros: rounded(added.cpuMicros.medianA, 10),
    }
    print(
      `  ${`${name}, ${callers} ${callers === 1 ? 'caller' : 'callers'}`.padEnd(50)}${figures.ratio} (${figures.middleHalf.join(' to ')}), itself ${figures.sameRatio}; CPU ${figures.cpuRatio} (${figures.cpuMiddleHalf.join(' to ')}), itself ${figures.cpuSameRatio}; stock ${figures.stockMicros} µs, CPU ${figures.stockCpuMicros} µs`,
    )
    measured[`callers${callers}`] = figures
  }
  return measured
}

/** Microseconds a query: until all have answered, and of CPU of this process, which is without the server's share. */
async function ask(contender: Contender, callers: number, queries: number): Promise<Cost> {
  let left = queries
  const caller = async (): Promise<void> => {
    while (left-- > 0) await contender.ask(1 + (left % NOTES))
  }
  const before = process.cpuUsage()
  const start = performance.now()
  await Promise.all(Array.from({ length: callers }, caller))
  const millis = performance.now() - start
  const { user, system } = process.cpuUsage(before)
  return { micros: (millis * 1_000) / queries, cpuMicros: (user + system) / queries }
}

const ratioOf = ({ difference, medianA }: Paired): number => rounded(1 + difference / medianA, 1_000)

const middleHalf = ({ low, high, medianA }: Paired): [number, number] => [
  rounded(1 + low / medianA, 1_000),
  rounded(1 + high / medianA, 1_000),
]

const rounded = (value: number, parts: number): number => Math.round(value * parts) / parts
