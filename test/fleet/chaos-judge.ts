// Judges a bank after each case: nothing lost, nothing twice, no sum changed, and at every moment one side at most that writes.
import { readFileSync } from 'node:fs'
import pg from 'pg'
import type { Side } from '../../src/phase/phases.js'
import { BALANCE, TABLES } from './bank-schema.js'
import type { Prober } from './chaos-prober.js'

/** Writes are looked at once; the overlap is for those whose transaction was long. */
const OVERLAP_MICROS = 20_000_000

interface Fates {
  readonly acknowledged: Set<number>
  readonly refused: Set<number>
  /** Those of before have been looked at. */
  recent: number[]
}

export class Judge {
  readonly #urls: Readonly<Record<Side, string>>
  readonly #log: string
  /** By writer. */
  readonly #fates = new Map<number, Fates>()
  #logRead = 0
  #micros = 0
  #rows = 0

  constructor(urls: Readonly<Record<Side, string>>, log: string) {
    this.#urls = urls
    this.#log = log
  }

  /**
   * `writer`: the side that writes now, which has to have everything. `whole` looks at each row since the beginning, else at
   * what has come since the last time. Gives what is wrong.
   */
  async judge(writer: Side, prober: Prober, whole: boolean): Promise<string[]> {
    if (whole) this.#micros = 0
    // Before the database is read, so that each acknowledged write has to be there.
    this.#readLog()
    const probed = { old: [...prober.accepted.old], new: [...prober.accepted.new] }
    const wrong: string[] = []
    const turns = await this.#turns()
    await using(this.#urls[writer], async (query) => {
      wrong.push(...(await this.#entries(query, whole)), ...(await this.#probes(query, probed)))
      wrong.push(...(await balances(query)), ...(await this.#writers(query, turns)))
    })
    return wrong
  }

  /** Whether the other side is equal, once the mirror has brought everything; nobody may write meanwhile. */
  async equal(): Promise<string[]> {
    const wrong: string[] = []
    await using(this.#urls.old, async (old) =>
      using(this.#urls.new, async (opened) => {
        for (const table of TABLES) {
          const text = `select count(*)::int as rows, md5(string_agg(t::text, ';' order by t::text)) as sum from ${table} t`
          const [a, b] = await Promise.all([old(text), opened(text)])
          if (a[0]?.['sum'] !== b[0]?.['sum'])
            wrong.push(
              `${table} has ${String(a[0]?.['rows'])} rows on old and ${String(b[0]?.['rows'])} on new, not the same`,
            )
        }
      }),
    )
    return wrong
  }

  get acknowledged(): number {
    return [...this.#fates.values()].reduce((sum, { acknowledged }) => sum + acknowledged.size, 0)
  }

  #readLog(): void {
    const text = readFileSync(this.#log, 'utf8')
    const end = text.lastIndexOf('\n') + 1
    for (const line of text.slice(this.#logRead, end).split('\n')) {
      const [fate, writer, nr] = line.split(' ')
      if (fate !== 'a' && fate !== 'r') continue
      const fates = this.#fates.get(Number(writer)) ?? {
        acknowledged: new Set(),
        refused: new Set(),
        recent: [],
      }
      this.#fates.set(Number(writer), fates)
      fates[fate === 'a' ? 'acknowledged' : 'refused'].add(Number(nr))
      fates.recent.push(Number(nr))
    }
    this.#logRead = end
  }

  async #entries(query: Query, whole: boolean): Promise<string[]> {
    const wrong: string[] = []
    const [count] = await query('select count(*)::int as rows from public.ledger')
    const total = Number(count?.['rows'])
    if (total < this.#rows) wrong.push(`the ledger had ${this.#rows} entries and has ${total}`)
    this.#rows = total
    const rows = await query(
      `select writer, array_agg(nr) as nrs from public.ledger where ${this.#recently} group by writer`,
    )
    const found = new Map(rows.map((row) => [Number(row['writer']), row['nrs'] as number[]]))
    for (const [writer, { acknowledged, refused, recent }] of this.#fates) {
      const nrs = found.get(writer) ?? []
      const there = new Set(nrs)
      if (there.size < nrs.length) wrong.push(`writer ${writer}: ${some(twice(nrs))} applied twice`)
      const asked = whole ? [...acknowledged] : recent.filter((nr) => acknowledged.has(nr))
      const lost = asked.filter((nr) => !there.has(nr))
      if (lost.length > 0) wrong.push(`writer ${writer}: ${some(lost)} acknowledged and lost`)
      const applied = nrs.filter((nr) => refused.has(nr))
      if (applied.length > 0) wrong.push(`writer ${writer}: ${some(applied)} refused and there all the same`)
    }
    for (const fates of this.#fates.values()) fates.recent = []
    return wrong
  }

  get #recently(): string {
    return `at > to_timestamp(${(this.#micros - OVERLAP_MICROS) / 1e6})`
  }

  async #probes(query: Query, probed: Readonly<Record<Side, readonly number[]>>): Promise<string[]> {
    const rows = await query('select id::int, side from public.probe')
    const side = new Map(rows.map((row) => [Number(row['id']), String(row['side'])]))
    return (['old', 'new'] as const).flatMap((one) => {
      const lost = probed[one].filter((id) => side.get(id) !== one)
      return lost.length === 0 ? [] : [`${some(lost)} of the prober were accepted by ${one} and lost`]
    })
  }

  /** Each accepted write has to have been accepted by the side that was opened last, by the clock that both servers have. */
  async #writers(query: Query, turns: readonly Turn[]): Promise<string[]> {
    const rows = await query(
      `select side, micros, what from (
         select side, (extract(epoch from at) * 1000000)::bigint as micros, format('entry %s/%s', writer, nr) as what from public.ledger where ${this.#recently}
         union all select side, (extract(epoch from at) * 1000000)::bigint, format('probe %s', id) from public.probe
         where ${this.#recently}
       ) x order by micros`,
    )
    const wrong: string[] = []
    let turn = 0
    for (const row of rows) {
      const micros = Number(row['micros'])
      while ((turns[turn + 1]?.micros ?? Infinity) < micros) turn++
      const open = turns[turn]
      if (open && row['side'] !== open.side)
        wrong.push(
          `${String(row['what'])} by ${String(row['side'])} ${micros - open.micros} µs after ${open.side} was opened`,
        )
    }
    this.#micros = Number(rows.at(-1)?.['micros'] ?? this.#micros)
    if (turns.some(({ side }, nr) => nr > 0 && side === turns[nr - 1]?.side))
      wrong.push(
        `a side was opened twice in a row: ${turns.map(({ side, epoch }) => `${side} ${epoch}`).join(', ')}`,
      )
    return wrong.length > 3 ? [`${wrong.length} writes on the wrong side`, ...wrong.slice(0, 3)] : wrong
  }

  /** Whose turn it was, from when on. */
  async #turns(): Promise<Turn[]> {
    const turns: Turn[] = [{ side: 'old', micros: 0, epoch: 0 }]
    for (const side of ['old', 'new'] as const)
      await using(this.#urls[side], async (query) => {
        for (const row of await query(
          `select (extract(epoch from at) * 1000000)::bigint as micros, epoch::int from audit.history
            where status = 'writer' and was in ('mirror', 'moved')`,
        ))
          turns.push({ side, micros: Number(row['micros']), epoch: Number(row['epoch']) })
      })
    return turns.toSorted((a, b) => a.micros - b.micros)
  }
}

interface Turn {
  readonly side: Side
  readonly micros: number
  readonly epoch: number
}

type Query = (text: string) => Promise<Record<string, unknown>[]>

export async function using<T>(connectionString: string, work: (query: Query) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString, application_name: 'pg-cutover judge' })
  client.on('error', () => {})
  await client.connect()
  try {
    return await work(async (text) => (await client.query<Record<string, unknown>>(text)).rows)
  } finally {
    await client.end()
  }
}

async function balances(query: Query): Promise<string[]> {
  const rows = await query(
    `with moved as (
       select id, sum(amount) as sum from (
         select target as id, amount from public.ledger union all select source, -amount from public.ledger) x group by id)
     select a.id from public.account a left join moved m using (id) where a.balance <> ${BALANCE} + coalesce(m.sum, 0)`,
  )
  return rows.length === 0 ? [] : [`${rows.length} accounts do not hold what their entries say`]
}

const twice = (nrs: readonly number[]): number[] => nrs.filter((nr, at) => nrs.indexOf(nr) !== at)

const some = (numbers: readonly number[]): string =>
  `${numbers.slice(0, 3).join(', ')}${numbers.length > 3 ? ` and ${numbers.length - 3} more` : ''}`
