// What a query takes through each library on the facade at rest, against the same library on its stock pool.
import pg from 'pg'
import { createCutover, memorySource } from '../src/index.js'
import { startPair } from '../test/support/servers.js'
import { MAX, NOTES, type Contender } from './clients/contender.js'
import { LIBRARIES, type Library } from './clients/libraries.js'
import { pairedBy, type Paired } from './paired.js'

const KINDS = ['micros', 'cpuMicros'] as const
type Cost = Readonly<Record<(typeof KINDS)[number], number>>

export interface Sizes {
  readonly quads: number
  /** Queries of a slice with one caller, and with many. */
  readonly alone: number
  readonly together: number
}

const FULL: Sizes = { quads: 10, alone: 400, together: 3_000 }
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
    print(`${sizes.quads} quads A B B A, ${MAX} connections each; time of a query on the stock pool = 1 (middle half)

| | 1 caller | 64 callers | CPU time, 64 callers | stock pool against itself | on the stock pool |
|---|---|---|---|---|---|`)
    const figures: Record<string, Measured> = {}
    for (const library of LIBRARIES) {
      const open = [
        await library.stock(urls.old),
        await library.stock(urls.old),
        await library.other(cutover, urls.old),
      ] as const
      try {
        const measured = await measure(open, sizes)
        figures[library.name] = measured
        print(row(library, measured))
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

/** With one caller and with many. */
async function measure(
  [stock, again, other]: readonly [Contender, Contender, Contender],
  { quads, alone, together }: Sizes,
) {
  const against = async (callers: number, queries: number) => {
    const slice = (contender: Contender) => () => ask(contender, callers, queries)
    const same = await pairedBy(KINDS, quads, slice(stock), slice(again))
    const added = await pairedBy(KINDS, quads, slice(stock), slice(other))
    return {
      ratio: ratioOf(added.micros),
      middleHalf: middleHalf(added.micros),
      sameRatio: ratioOf(same.micros),
      cpuRatio: ratioOf(added.cpuMicros),
      cpuMiddleHalf: middleHalf(added.cpuMicros),
      cpuSameRatio: ratioOf(same.cpuMicros),
      stockMicros: rounded(added.micros.medianA, 10),
      stockCpuMicros: rounded(added.cpuMicros.medianA, 10),
    }
  }
  return { callers1: await against(1, alone), callers64: await against(64, together) }
}

type Measured = Awaited<ReturnType<typeof measure>>

function row({ name }: Library, { callers1, callers64 }: Measured): string {
  const cells = [
    name,
    `${callers1.ratio} (${callers1.middleHalf.join(' to ')})`,
    `${callers64.ratio} (${callers64.middleHalf.join(' to ')})`,
    `${callers64.cpuRatio} (${callers64.cpuMiddleHalf.join(' to ')})`,
    `${callers1.sameRatio}; ${callers64.sameRatio}; CPU ${callers64.cpuSameRatio}`,
    `${callers1.stockMicros} µs; ${callers64.stockMicros} µs; CPU ${callers64.stockCpuMicros} µs`,
  ]
  return `| ${cells.join(' | ')} |`
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
