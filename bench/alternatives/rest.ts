// What a query at rest takes through each rival, against what it stands in place of.
import { createCutover, memorySource } from '../../src/index.js'
import type { Pair } from '../../test/support/servers.js'
import { ask } from '../clients/ask.js'
import { MAX, NOTES, type Contender } from '../clients/contender.js'
import { KINDS } from '../clients/parts.js'
import { withClient } from '../dual-write/ground.js'
import { median, ratio, throughput, type Outcome } from '../outcome.js'
import { pairedBy, type Paired } from '../paired.js'
import type { Found } from './present.js'
import { startPgBouncer, type PgBouncer } from './pgbouncer.js'
import { groupsOf, type Group, type Rival } from './rivals.js'

type Costs = Readonly<Record<(typeof KINDS)[number], Paired>>

export interface RestSizes {
  readonly quads: number
  /** Queries of a slice with one caller, and with many. */
  readonly alone: number
  readonly together: number
}

export const CALLERS = { alone: 1, together: 64 } as const

/** The lines of the tables, and of each rival that was left out why. */
export interface Rest {
  readonly alone: readonly Outcome[]
  readonly together: readonly Outcome[]
  readonly cpu: readonly Outcome[]
  readonly throughput: readonly Outcome[]
  readonly missing: readonly string[]
}

export async function rest(
  pair: Pair,
  program: Found<string>,
  sizes: RestSizes,
  note: (line: string) => void,
): Promise<Rest> {
  const urls = { old: pair.old.url(), new: pair.new.url() }
  await withClient(urls.old, async (client) => {
    await client.query(`create table note (id int primary key, text text not null)`)
    await client.query(`insert into note select id, 'note ' || id from generate_series(1, ${NOTES}) id`)
    await client.query('analyze note')
  })
  const cutover = createCutover({
    name: 'bench',
    old: { connectionString: urls.old, max: MAX },
    new: { connectionString: urls.new, max: MAX },
    source: memorySource('old'),
    control: false,
    mirror: 'none',
  })
  const bouncer = 'here' in program ? await startPgBouncer(program.here, urls.old, MAX) : undefined
  try {
    await cutover.ready()
    const missing = 'missing' in program ? [program.missing] : []
    const groups = await groupsOf({ url: urls.old, cutover, bouncer }, missing)
    const given = { alone: [], together: [], cpu: [], throughput: [] as Outcome[], missing }
    for (const group of groups) await measureGroup(group, sizes, given, note)
    if (bouncer) {
      const own = await ownCpu(groups, bouncer, sizes.together * 4)
      if (own) given.throughput.push(own)
    }
    return given
  } finally {
    await cutover.end()
    await bouncer?.close()
  }
}

type Given = Record<'alone' | 'together' | 'cpu' | 'throughput', Outcome[]>

async function measureGroup(
  { base, rivals, share }: Group,
  { quads, alone, together }: RestSizes,
  given: Given,
  note: (line: string) => void,
): Promise<void> {
  const queries = { alone: Math.ceil(alone * share), together: Math.ceil(together * share) }
  const against = async (first: Contender, second: Contender) => {
    const by = (callers: keyof typeof CALLERS): Promise<Costs> => {
      const slice = (contender: Contender) => () => ask(contender, CALLERS[callers], queries[callers])
      return pairedBy(KINDS, quads, slice(first), slice(second))
    }
    return { alone: await by('alone'), together: await by('together') }
  }
  const stock = await base.open()
  const againstStock = async (rival: Rival) => {
    const other = await rival.open()
    try {
      return await against(stock, other)
    } finally {
      await other.close()
    }
  }
  try {
    const same = await againstStock(base)
    for (const rival of rivals) {
      const added = await againstStock(rival)
      given.alone.push(
        ratio(rival.name, added.alone.micros, same.alone.micros, remarked(rival, base, added.alone.micros)),
      )
      const { micros, cpuMicros } = added.together
      given.together.push(ratio(rival.name, micros, same.together.micros, remarked(rival, base, micros)))
      given.cpu.push(ratio(rival.name, cpuMicros, same.together.cpuMicros, remarked(rival, base, cpuMicros)))
      if (rival.name === 'PgBouncer' || rival.name === 'pg-cutover')
        for (const callers of ['alone', 'together'] as const)
          given.throughput.push(
            throughput(
              `${rival.name}, ${CALLERS[callers]} ${callers === 'alone' ? 'caller' : 'callers'}`,
              added[callers].micros,
              same[callers].micros,
              { remark: rival.version },
            ),
          )
      note(`${rival.name}: ${given.alone.at(-1)?.measured} alone, ${given.together.at(-1)?.measured} of 64`)
    }
  } finally {
    await stock.close()
  }
}

/** What was measured, and how long its base took. */
const remarked = ({ version }: Rival, { name }: Rival, { medianA }: Paired): Partial<Outcome> => ({
  remark: `${version}; ${name} ${medianA.toFixed(0)} µs`,
})

/** What the process of PgBouncer takes besides; the kernel counts it in hundredths of a second. */
async function ownCpu(
  groups: readonly Group[],
  bouncer: PgBouncer,
  queries: number,
): Promise<Outcome | undefined> {
  const rival = groups.flatMap(({ rivals }) => rivals).find(({ name }) => name === 'PgBouncer')
  const before = bouncer.cpuMicros()
  if (!rival || before === undefined) return undefined
  const contender = await rival.open()
  try {
    await ask(contender, CALLERS.together, queries)
  } finally {
    await contender.close()
  }
  const after = bouncer.cpuMicros()
  if (after === undefined) return undefined
  const each = (after - before) / queries
  return median("CPU time of PgBouncer's own process, 64 callers", 'µs a query', [each], {
    remark: rival.version,
  })
}
